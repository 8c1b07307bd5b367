"""Sync task functions run in pooled greenlets of the worker's one thread.

A greenlet lets sync code wait: ``future.result()`` switches back to the worker's loop (the hub), which goes on with
another greenlet, and switches in again when the future is settled. So a waiting sync task holds no slot, and nesting
cannot deadlock. A greenlet runs one ready task after the other, for as long as they do not wait; a switch for each
would cost more than many tasks do.

While sync code runs, this thread is still inside ``trio.run``. Task code must not see that: ``asyncio.run`` asks
sniffio, and ``trio.run`` refuses to nest. So trio's and sniffio's thread-locals are set aside around each switch into a
greenlet. trio keeps its own under a private name; if a release moves it, sync tasks still work and only a nested
``trio.run`` is refused.
"""

from __future__ import annotations

import contextvars
import sys
import warnings
from collections.abc import Callable
from typing import Any

import greenlet
import sniffio
import trio

from triort._core.worker_core import Running
from triort._model.errors import TaskInterrupted, UsageError

_trio_context: Any = getattr(getattr(trio._core, "_run", None), "GLOBAL_RUN_CONTEXT", None)
warnings.filterwarnings("ignore", message="It looks like Trio's signal handling code might have collided")

POOL_MAX = 256


class SyncWait:
    """The handle of a sync task that waits: its greenlet, and whether it is to be interrupted when it goes on."""

    __slots__ = ("greenlet", "interrupted", "is_woken", "running")

    def __init__(self, running: Running, own: greenlet.greenlet) -> None:
        self.running = running
        self.greenlet = own
        self.is_woken = False
        self.interrupted = False


class SyncTasks:
    """The greenlets of a worker. ``run_batch`` starts tasks, one after the other, until it wants the hub."""

    def __init__(self, run_batch: Callable[[], None]) -> None:
        self.resumable: list[SyncWait] = []
        self.is_running = False
        """Whether the code of a batch has the thread, and trio is hidden."""
        self._run_batch = run_batch
        self._pool: list[greenlet.greenlet] = []
        self._hub: greenlet.greenlet | None = None

    def open(self) -> None:
        """The caller's greenlet is the hub: that of the worker's loop, and in real processes of all its trio tasks."""
        self._hub = greenlet.getcurrent()

    @property
    def is_in_hub(self) -> bool:
        """Whether the caller may run batches. A library of the user's may have trio tasks step in greenlets of its own,
        into which ours would not find back; a simulated worker's loop has one, and its other tasks leave all to it."""
        return greenlet.getcurrent() is self._hub

    def start_batch(self) -> None:
        """Run a batch in a greenlet of the pool; comes back when it has ended or a task in it waits. For the hub."""
        self._run(self._pool.pop() if self._pool else self._new())

    def resume(self, wait: SyncWait) -> None:
        """Let a task that waited go on, and the rest of its batch with it. For the hub."""
        self._run(wait.greenlet)

    def check_can_wait(self) -> None:
        """Called by a sync task; raises `UsageError` from code that cannot be left by `wait`: inside another event
        loop, or a greenlet of the user's."""
        if self._hub is None or greenlet.getcurrent().parent is not self._hub or _is_in_a_loop():
            raise UsageError(
                "future.result() works in the task's own code only, not in an event loop or greenlet of its"
            )

    def wait(self, running: Running) -> None:
        """Called by a sync task that can wait: let the hub go on until `wake`; raises `TaskInterrupted` when it was
        cancelled."""
        assert self._hub is not None
        wait = running.handle = SyncWait(running, greenlet.getcurrent())
        self._hub.switch()
        running.handle = None
        if wait.interrupted:
            raise TaskInterrupted

    def wake(self, wait: SyncWait, *, interrupt: bool = False) -> None:
        """Make a waiting task resumable."""
        wait.interrupted = wait.interrupted or interrupt
        if not wait.is_woken:
            wait.is_woken = True
            self.resumable.append(wait)

    def _run(self, own: greenlet.greenlet) -> None:
        self.is_running = True
        try:
            _switch(own)
        finally:
            self.is_running = False

    def _new(self) -> greenlet.greenlet:
        own = greenlet.greenlet(self._serve)
        own.gr_context = contextvars.Context()
        return own

    def _serve(self) -> None:
        own = greenlet.getcurrent()
        while True:
            self._run_batch()
            if len(self._pool) >= POOL_MAX:
                return
            self._pool.append(own)
            assert own.parent is not None
            own.parent.switch()


def trio_context() -> Any:
    """What trio keeps in this thread about the loop that runs; raises `UsageError` where a release has moved it."""
    if _trio_context is None:
        raise UsageError(f"trio {trio.__version__} keeps its running loop where it is not found: no simulation with it")
    return _trio_context


def _is_in_a_loop() -> bool:
    """Whether the task's code runs in an event loop that it has started itself."""
    if _trio_context is not None and _trio_context.__dict__:
        return True
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None


def _switch(own: greenlet.greenlet) -> None:
    """Enter a greenlet with the running event loop hidden from it."""
    library, sniffio.thread_local.name = sniffio.thread_local.name, None
    hidden = _trio_context.__dict__ if _trio_context is not None else {}
    saved = hidden.copy()
    hidden.clear()
    try:
        own.switch()
    finally:
        hidden.update(saved)
        sniffio.thread_local.name = library
