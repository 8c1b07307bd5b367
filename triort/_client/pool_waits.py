"""How a sync task waits for one of several children, for so long at most: what `Future.result` of `triort` does, for
the waits that `concurrent.futures` knows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import trio

from triort._core.worker_core import Running
from triort._model.errors import TaskInterrupted, UsageError
from triort._node.sync_tasks import SyncWait
from triort._node.worker import Worker

if TYPE_CHECKING:
    from triort._client.pool_nested import TaskFuture
    from triort._node.futures import Future


def wait_any(worker: Worker, futures: Sequence[Future], timeout: float | None = None) -> None:
    """Wait until one of these children of the calling task has ended, or for so many seconds; the slot is free.

    Also with no time at all others get their turn: who asks again and again whether something is done must not keep
    it from being done. Raises `UsageError` where the task cannot wait.

    A child that starts on this very worker is not left until it ends or waits, and the time may pass meanwhile. So what
    others want of this worker's tasks is given to them before.
    """
    owner = worker.current_task()
    if owner.cancelled:
        raise TaskInterrupted
    if worker.in_async_task():
        raise UsageError("an async task cannot block: use await future, or triort.get_runtime()")
    timer = None if timeout is None else _Timer(worker, owner, timeout)
    if timer is not None:
        worker.flush(keep=0)
    try:
        for future in futures:
            future._sync_waiter = True
        worker.suspend_sync(owner)
    finally:
        for future in futures:
            future._sync_waiter = False
        if timer is not None:
            timer.stop()


class _Timer:
    """Wakes a waiting sync task after a while."""

    def __init__(self, worker: Worker, owner: Running, timeout_s: float) -> None:
        self._worker = worker
        self._owner = owner
        self._timeout_s = max(timeout_s, 0.0)
        self._scope = trio.CancelScope()
        assert worker._token is not None
        worker._token.run_sync_soon(self._start)  # the calling task does not see the loop

    def stop(self) -> None:
        """The task goes on."""
        assert self._worker._token is not None
        with suppress(trio.RunFinishedError):
            self._worker._token.run_sync_soon(self._scope.cancel)

    def _start(self) -> None:
        nursery = self._worker.execution.async_tasks.nursery
        if nursery is not None:
            nursery.start_soon(self._run)

    async def _run(self) -> None:
        with self._scope:
            await trio.sleep(self._timeout_s)
            wake_sync(self._worker, self._owner)


def wake_sync(worker: Worker, owner: Running) -> None:
    """Let a sync task that waits go on. Called in the worker's loop."""
    if isinstance(owner.handle, SyncWait):
        worker.sync_tasks.wake(owner.handle)
        worker.wake()


class TaskEvent:
    """Stands in a waiter of `concurrent.futures` for its `threading.Event`, which would stop the worker's only thread,
    and with it the very children that are waited for."""

    def __init__(self, worker: Worker) -> None:
        self.futures: list[TaskFuture] = []
        self._worker = worker
        self._owner = worker.current_task()
        self._is_set = False

    def is_set(self) -> bool:
        """As of `threading.Event`."""
        return self._is_set

    def set(self) -> None:
        """As of `threading.Event`; also from a thread of the task's, where that ends a future of another pool."""
        self._is_set = True
        if self._worker._token is not None:
            with suppress(trio.RunFinishedError):
                self._worker._token.run_sync_soon(self._wake)

    def clear(self) -> None:
        """As of `threading.Event`."""
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        """As of `threading.Event`; the task's slot is free meanwhile, and children that have ended are noted."""
        clock = self._worker.clock
        end = None if timeout is None else clock() + timeout
        while not self._is_set:
            for future in self.futures:
                future.look()
            if self._is_set:
                break
            left = None if end is None else end - clock()
            if left is not None and left <= 0:
                break
            wait_any(self._worker, [each for future in self.futures for each in future.inner], left)
        return self._is_set

    def _wake(self) -> None:
        if self._is_set:
            wake_sync(self._worker, self._owner)


class TaskWaiters(list[Any]):
    """The waiters of one future in a task; each that comes gets a `TaskEvent`."""

    def __init__(self, worker: Worker, future: TaskFuture) -> None:
        super().__init__()
        self._worker = worker
        self._future = future

    def append(self, waiter: Any) -> None:
        """A wait begins that is also about this future."""
        if not isinstance(waiter.event, TaskEvent):
            waiter.event = TaskEvent(self._worker)
        waiter.event.futures.append(self._future)
        super().append(waiter)
