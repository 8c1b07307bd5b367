"""The end of the interpreter: pools that are open then finish their work first, as those of the standard library do.

Python joins threads before it calls what `atexit` has, so a pool whose thread waits for work would keep it for ever.
`concurrent.futures` is told of the end earlier than that, by `threading._register_atexit`, and so are we.

After a Ctrl-C that nobody has caught the work is not finished but cancelled: workers do not get the terminal's signal,
as those of the standard library do, and a second Ctrl-C should not be needed.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triort._client.pool_engine import Engine


class PoolExit:
    """The engines that run in this process, and whether the interpreter is about to end."""

    def __init__(self) -> None:
        self.is_near = False
        self._engines: dict[Engine, int] = {}

    def enter(self, engine: Engine) -> None:
        """An engine has started."""
        self._engines[engine] = os.getpid()

    def leave(self, engine: Engine) -> None:
        """It has ended."""
        self._engines.pop(engine, None)

    def finish(self) -> None:
        """The interpreter is about to end: wait for all engines of this process, not those of a parent it forked of."""
        self.is_near = True
        engines = [engine for engine, pid in list(self._engines.items()) if pid == os.getpid()]
        for engine in engines:
            engine.close()
        if _is_interrupted():
            _cancel(engines)
        try:
            _join(engines)
        except KeyboardInterrupt:
            _cancel(engines)
            _join(engines)
            raise


def _cancel(engines: list[Engine]) -> None:
    for engine in engines:
        engine.cancel_all()


def _join(engines: list[Engine]) -> None:
    for engine in engines:
        engine.join()


def _is_interrupted() -> bool:
    """Whether a Ctrl-C ends the program. At a prompt it ends what was typed, and no more."""
    return getattr(sys, "last_type", None) is KeyboardInterrupt and not hasattr(sys, "ps1")


EXIT = PoolExit()
threading._register_atexit(EXIT.finish)  # type: ignore[attr-defined]
