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
import warnings
from collections import deque
from collections.abc import Callable
from typing import Any

import greenlet
import sniffio
import trio

from triort._core.worker_core import Running
from triort._model.errors import TaskInterrupted

_trio_context: Any = getattr(getattr(trio._core, "_run", None), "GLOBAL_RUN_CONTEXT", None)
warnings.filterwarnings("ignore", message="It looks like Trio's signal handling code might have collided")

POOL_MAX = 256


class SyncWait:
    """The handle of a sync task that waits: its greenlet, and whether it is to be interrupted when it goes on."""

    __slots__ = ("greenlet", "interrupted", "is_over", "running")

    def __init__(self, running: Running, own: greenlet.greenlet) -> None:
        self.running = running
        self.greenlet = own
        self.is_over = False
        self.interrupted = False


class SyncTasks:
    """The greenlets of a worker. ``run_batch`` starts tasks, one after the other, until it wants the hub."""

    def __init__(self, run_batch: Callable[[], None]) -> None:
        self.resumable: deque[SyncWait] = deque()
        self._run_batch = run_batch
        self._pool: list[greenlet.greenlet] = []

    def start_batch(self) -> None:
        """Run a batch in a greenlet of the pool; comes back when it has ended or a task in it waits. For the hub."""
        own = self._pool.pop() if self._pool else self._new()
        _switch(own)

    def resume(self, wait: SyncWait) -> None:
        """Let a task that waited go on, and the rest of its batch with it. For the hub."""
        _switch(wait.greenlet)

    def wait(self, running: Running) -> None:
        """Called by a sync task: let the hub go on until `wake`; raises `TaskInterrupted` when it was cancelled."""
        own = greenlet.getcurrent()
        wait = running.handle = SyncWait(running, own)
        assert own.parent is not None
        own.parent.switch()
        running.handle = None
        if wait.interrupted:
            raise TaskInterrupted

    def wake(self, wait: SyncWait, *, interrupt: bool = False) -> None:
        """Make a waiting task resumable."""
        wait.interrupted = wait.interrupted or interrupt
        if not wait.is_over:
            wait.is_over = True
            self.resumable.append(wait)

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
