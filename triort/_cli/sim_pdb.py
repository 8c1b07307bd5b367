"""Stops in the debugger at the moment at which a check fails, with all that was going on still on the stack.

Not every violation is raised, and where one is it may be caught at once; but each is made where it was found. So that
is where we stop. While a plan runs, stdout is the tasks' own, so the debugger talks to the real one.
"""

from __future__ import annotations

import pdb
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from triort.testing._events import Violation
from triort.testing._run import Checker
from triort.testing._seeds.state import Until


class _Debugger(pdb.Pdb):
    """Without a way to tear the run down: leaving it goes on, and the run ends by itself."""

    _first: FrameType | None = None

    def stop_in(self, frame: FrameType) -> None:
        """Stop at the next thing that happens in this frame, not in what it calls."""
        self._first = frame
        self.set_trace(frame)

    def set_step(self) -> None:
        """Stop at the next line anywhere; `set_trace` calls this."""
        frame, self._first = self._first, None
        if frame is None:
            super().set_step()
        else:
            self.set_next(frame)

    def do_quit(self, arg: str) -> bool | None:
        """Go on without the debugger."""
        self.clear_all_breaks()
        return self.do_continue(arg)

    do_q = do_exit = do_EOF = do_quit


@contextmanager
def stopped_at_violations() -> Iterator[None]:
    """Inside, the first violation that is made stops in the debugger."""
    make = Violation.__init__
    debugger = _Debugger(stdin=sys.__stdin__, stdout=sys.__stdout__, nosigint=True)
    has_stopped = False

    def make_and_stop(self: Violation, *args: Any, **kwargs: Any) -> None:
        nonlocal has_stopped
        make(self, *args, **kwargs)
        if not has_stopped and self.check != Until.name:
            has_stopped = True
            print(self, file=sys.__stdout__, flush=True)
            debugger.stop_in(_finder(sys._getframe(1)))

    Violation.__init__ = make_and_stop  # type: ignore[method-assign]
    try:
        yield
    finally:
        Violation.__init__ = make  # type: ignore[method-assign]


def _finder(frame: FrameType) -> FrameType:
    """The frame of whoever has found it."""
    if frame.f_code is Checker.fail.__code__ and frame.f_back is not None:
        return frame.f_back
    return frame
