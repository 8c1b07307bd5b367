"""When a task on the CPU may be interrupted, and by what rule.

The boss pokes the worker with SIGUSR1 when its mail has waited, or while a cancel is not answered. Python runs the
handler between two bytecodes of whatever is running. Two questions are asked of the stack, from the interrupted frame
up to the frame where triort called the user's function:

* May the runtime do its own business here (read mail, note cancels, hand back tasks)? Not if a frame of triort or
  trio lies there: it may be in the middle of the very same business.
* May `TaskInterrupted` be raised here? Not in those, and not inside an import either: an interrupted import was seen
  to leave half-made modules behind. Nor in what the standard library does when a weakly referenced object goes: from
  such a callback nothing is raised, it is printed and lost.

Some code of triort runs on workers *below* the user's: it calls functions as other libraries want them called. Its
frames count as the user's.

A poke that meets a "no" does nothing; the boss pokes again in a few milliseconds.
"""

from __future__ import annotations

import _weakrefset
import enum
import os
import weakref
from inspect import CO_COROUTINE, CO_GENERATOR, CO_ITERABLE_COROUTINE
from types import CodeType, FrameType

import trio

FRAMES_MAX = 100_000

_TRIORT = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_TRIO = os.path.dirname(os.path.abspath(trio.__file__)) + os.sep
_OWN = (_TRIORT, _TRIO)
_CALLERS = (os.path.join(_TRIORT, "_client", "pool_calls.py"), os.path.join(_TRIORT, "bridges", "joblib.py"))
_CALLBACKS = (_weakrefset.__file__, weakref.__file__)


class Allowed(enum.Enum):
    """What a poke may do where it found the task."""

    NOTHING = 0
    MAIL = 1
    INTERRUPT = 2


def allowed_for(file_names: list[str]) -> Allowed:
    """The rule, for the files of the frames between the poke and the user's outermost frame, innermost first."""
    if not file_names:
        return Allowed.NOTHING  # the poke has met triort's own frame, or trio's loop
    answer = Allowed.INTERRUPT
    for name in file_names:
        if name.startswith(_OWN) and name not in _CALLERS:
            return Allowed.NOTHING
        if name.startswith("<frozen importlib") or name in _CALLBACKS:
            answer = Allowed.MAIL
    return answer


def files_above(frame: FrameType | None, boundary: set[CodeType]) -> list[str] | None:
    """The distinct files of the frames from ``frame`` to the first of ``boundary``; None if there is no boundary.

    Trio's loop calls the coroutines of tasks, and a few plain functions of its own and of the library between two
    steps: what lies above one of these is not the task's, and has no files here.
    """
    names: dict[str, None] = {}
    called: CodeType | None = None
    for _ in range(FRAMES_MAX):
        if frame is None:
            return None
        code = frame.f_code
        if code in boundary:
            is_between_steps = code.co_filename.startswith(_TRIO) and called is not None and not _is_coroutine(called)
            return [] if is_between_steps else list(names)
        names[code.co_filename] = None
        called, frame = code, frame.f_back
    return None


def _is_coroutine(code: CodeType) -> bool:
    return bool(code.co_flags & (CO_COROUTINE | CO_ITERABLE_COROUTINE | CO_GENERATOR))
