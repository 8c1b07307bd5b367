"""Sync task functions, each in a pooled greenlet of the worker's one thread.

A greenlet lets sync code wait: ``future.result()`` switches back to the worker's loop (the hub), which starts or
resumes something else, and is resumed when the future is settled. So a waiting sync task holds no slot, and nesting
cannot deadlock. Greenlets are pooled; a switch costs well under a microsecond.

While sync code runs, this thread is still inside ``trio.run``. Task code must not see that: ``asyncio.run`` asks
sniffio, and ``trio.run`` refuses to nest. So trio's and sniffio's thread-locals are set aside around each
switch into a task. trio keeps its own under a private name; if a release moves it, sync tasks still work and
only a nested ``trio.run`` is refused.
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

Body = Callable[[Running, Callable[..., Any], tuple[Any, ...], dict[str, Any]], None]

_trio_context: Any = getattr(getattr(trio._core, "_run", None), "GLOBAL_RUN_CONTEXT", None)
warnings.filterwarnings("ignore", message="It looks like Trio's signal handling code might have collided")

POOL_MAX = 256


class SyncTask:
    """The handle of a sync task: its greenlet, and whether it is to be interrupted when it resumes."""

    __slots__ = ("greenlet", "interrupted", "running", "suspended")

    def __init__(self, running: Running, own: greenlet.greenlet) -> None:
        self.running = running
        self.greenlet = own
        self.suspended = False
        self.interrupted = False


class SyncTasks:
    """The greenlets of a worker. ``body`` runs one task from start to outcome, in its greenlet."""

    def __init__(self, body: Body) -> None:
        self.resumable: deque[SyncTask] = deque()
        self._body = body
        self._pool: list[greenlet.greenlet] = []
        self._next: tuple[Running, Callable[..., Any], tuple[Any, ...], dict[str, Any]] | None = None

    def start(self, running: Running, call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Run the task until it ends or waits. Called in the hub."""
        own = self._pool.pop() if self._pool else greenlet.greenlet(self._serve)
        own.gr_context = contextvars.Context()
        running.handle = SyncTask(running, own)
        self._next = (running, call, args, kwargs)
        _switch(own)

    def resume(self, task: SyncTask) -> None:
        """Let a task that waited go on. Called in the hub."""
        _switch(task.greenlet)

    def wait(self, running: Running) -> None:
        """Called by a sync task: switch to the hub until `wake`; raises `TaskInterrupted` when it was cancelled."""
        task = running.handle
        task.suspended = True
        task.greenlet.parent.switch()
        if task.interrupted:
            raise TaskInterrupted

    def wake(self, task: SyncTask, *, interrupt: bool = False) -> None:
        """Make a waiting task resumable."""
        task.interrupted = task.interrupted or interrupt
        if task.suspended:
            task.suspended = False
            self.resumable.append(task)

    def _serve(self) -> None:
        own = greenlet.getcurrent()
        while True:
            assert self._next is not None
            call, self._next = self._next, None
            self._body(*call)
            del call  # its arguments must not outlive the task
            if len(self._pool) >= POOL_MAX:
                return
            self._pool.append(own)
            assert own.parent is not None
            own.parent.switch()


def _switch(own: greenlet.greenlet) -> None:
    """Enter a task's greenlet with the running event loop hidden from it."""
    library, sniffio.thread_local.name = sniffio.thread_local.name, None
    hidden = _trio_context.__dict__ if _trio_context is not None else {}
    saved = hidden.copy()
    hidden.clear()
    try:
        own.switch()
    finally:
        hidden.update(saved)
        sniffio.thread_local.name = library
