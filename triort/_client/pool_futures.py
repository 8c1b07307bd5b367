"""The futures of an `Executor` outside of tasks: those of the standard library, but a running call can be cancelled.

A call is *pending* while the engine holds it back, and *running* once it has been handed to the cluster, where it may
still wait for a worker for a moment.
"""

from __future__ import annotations

import concurrent.futures
import os
import threading
from typing import TYPE_CHECKING, Any

from triort._client.pool_errors import BrokenPool
from triort._model.errors import UsageError

if TYPE_CHECKING:
    from triort._client.pool_dispatch import Call
    from triort._client.pool_engine import Engine

_Base = concurrent.futures._base


class PoolFuture(concurrent.futures.Future[Any]):
    """A call of a pool; made by `Executor.submit`."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self._call: Call | None = None

    def cancel(self) -> bool:
        """Cancel the call, pending or running; false if it has ended. The tree of tasks of a running call is cancelled
        with it; this does not wait for its end, `Executor.shutdown` does."""
        if super().cancel():  # was pending, or is cancelled already
            self._tell_engine()
            return True
        with self._condition:
            if self._state != _Base.RUNNING:
                return False
            self._state = _Base.CANCELLED
            self._condition.notify_all()
        self.set_running_or_notify_cancel()
        self._invoke_callbacks()  # type: ignore[attr-defined]
        self._tell_engine()
        return True

    def result(self, timeout: float | None = None) -> Any:
        """As in the standard library; raises `UsageError` where nobody could ever answer."""
        self._check_wait(timeout)
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """As in the standard library; raises `UsageError` where nobody could ever answer."""
        self._check_wait(timeout)
        return super().exception(timeout)

    def _tell_engine(self) -> None:
        call = self._call
        if call is not None:
            self._engine.cancel(call)

    def _check_wait(self, timeout: float | None) -> None:
        if self.done():
            return
        engine = self._engine
        if engine.pid != os.getpid():
            raise BrokenPool("this future belongs to the process that has forked this one; ask it there")
        if timeout is None and threading.current_thread() is engine.thread:
            raise UsageError("a callback of a pool cannot wait for the same pool: nothing else happens meanwhile")
