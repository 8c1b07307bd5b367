"""An `Executor` inside a task: its calls are children of the task, on whatever worker has time.

So waiting for them frees the task's slot, and nesting cannot deadlock; and the rules of `triort` hold: children that
are open when the task returns are cancelled.

A worker has one thread, in which a task cannot be told of a child's end while it computes. So futures are *looked at*:
when the task waits for one, or asks whether it is done, what has ended is noted, its value is unpickled, and its
callbacks are called, all in the task's own code.
"""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Generator
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from triort._client.pool_errors import NotPicklable, as_pool_error
from triort._client.pool_functions import Packed
from triort._client.pool_waits import TaskWaiters, wait_any
from triort._core.worker_core import Running
from triort._model.errors import UsageError
from triort._node.futures import Future
from triort._node.runtime import STAND_IN, Runtime, get_runtime
from triort._node.worker import Worker


def can_wait() -> bool:
    """Whether the calling code, inside a task, may wait for children of it."""
    try:
        worker = get_runtime()._worker
        if worker.in_async_task():
            return False
        worker.sync_tasks.check_can_wait()
    except UsageError:
        return False
    return True


AnyFuture: TypeAlias = concurrent.futures.Future[Any]


def is_inside() -> bool:
    """Whether the caller is a task, or a thread of one."""
    return Worker.current is not None or STAND_IN.get() is not None


class TaskFuture(concurrent.futures.Future[Any]):
    """A call of a pool inside a task. It belongs to the task that has made it; in async tasks it can be awaited."""

    def __init__(self, runtime: Runtime, inner: Future) -> None:
        super().__init__()
        self._runtime = runtime
        self._inner: Future | None = inner
        self._waiters = TaskWaiters(runtime._worker, self)

    @property
    def inner(self) -> list[Future]:
        """The runtime's future, until its end is noted."""
        return [] if self._inner is None else [self._inner]

    def look(self) -> None:
        """Note the end of the call, if it has come."""
        inner = self._inner
        if inner is None or not inner.done():
            return
        self._inner = None
        try:
            value = inner._value()
        except Exception as exc:
            self.set_exception(as_pool_error(exc.with_traceback(None)))
        else:
            self.set_result(value)

    def done(self) -> bool:
        """True when it has ended. In sync tasks others get their turn first, so it is no mistake to ask until it is."""
        self._wait(0.0)
        return super().done()

    def add_done_callback(self, fn: Callable[[AnyFuture], object]) -> None:
        """Call ``fn`` with the future when it has ended. In a sync task this waits for that, and others run meanwhile:
        the task may be about to block until ``fn`` has been called, and nobody else could call it."""
        if not self._runtime._worker.in_async_task():
            self._wait(None)
        super().add_done_callback(fn)

    def cancel(self) -> bool:
        """Cancel the call and all below it, started or not; false if it has ended."""
        self.look()
        inner, self._inner = self._inner, None
        if inner is not None:
            self._runtime.cancel(inner)
        if not super().cancel():
            return False
        if inner is not None:
            self.set_running_or_notify_cancel()
        return True

    def result(self, timeout: float | None = None) -> Any:
        """As in the standard library; the slot of the task is free meanwhile. Raises `UsageError` in an async task, if
        it has not ended."""
        self._wait(timeout, must_wait=True)
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """As in the standard library; the slot of the task is free meanwhile. Raises `UsageError` in an async task, if
        it has not ended."""
        self._wait(timeout, must_wait=True)
        return super().exception(0)

    def __await__(self) -> Generator[Any, Any, Any]:
        inner = self._inner
        if inner is not None:
            try:
                yield from inner.__await__()
            except Exception:
                self.look()
                raise
            self.look()
        return super().result(0)

    def _wait(self, timeout: float | None, *, must_wait: bool = False) -> None:
        self.look()
        inner = self._inner
        if inner is None or (not must_wait and self._runtime._worker.in_async_task()):
            return
        inner._check_owner()
        clock = self._runtime._worker.clock
        end = None if timeout is None else clock() + timeout
        while self._inner is not None:
            left = None if end is None else end - clock()
            wait_any(self._runtime._worker, [inner], left)
            self.look()
            if left is not None and left <= 0:
                return


class NestedCalls:
    """The calls that tasks have open in one pool, as far as they are on this worker."""

    def __init__(self) -> None:
        self._open: WeakKeyDictionary[Running, list[TaskFuture]] = WeakKeyDictionary()

    def submit(self, fn: Packed, args: tuple[Any, ...], kwargs: dict[str, Any]) -> AnyFuture:
        """Start a call as a child of the calling task. Raises `UsageError` where the task could not wait for it."""
        stand_in = STAND_IN.get()
        if stand_in is not None:
            return _run_now(stand_in, fn, args, kwargs)
        runtime = get_runtime()
        worker = runtime._worker
        if not worker.in_async_task():
            worker.sync_tasks.check_can_wait()
        name = None if fn.task is fn.fn else fn.name
        try:
            inner = runtime._submit(fn.task, [(*fn.leading, *args)], kwargs, name, {}, is_map=False)
        except UsageError as exc:
            failed: AnyFuture = concurrent.futures.Future()
            failed.set_exception(NotPicklable(str(exc)))
            return failed
        future = TaskFuture(runtime, inner)
        mine = self._open.setdefault(worker.current_task(), [])
        if len(mine) >= 2 * _DONE_LOOK and not len(mine) % _DONE_LOOK:
            mine[:] = [each for each in mine if each.inner]
        mine.append(future)
        return future

    def close(self, *, wait: bool, cancel_futures: bool) -> None:
        """Wait for the calls that the calling task has open; or cancel, before, those that have not started."""
        if STAND_IN.get() is not None:
            return
        futures = self._open.pop(get_runtime()._worker.current_task(), [])
        for future in futures:
            if cancel_futures and any(child.attempt.queued for each in future.inner for child in each._open.values()):
                future.cancel()
        if wait:
            for future in futures:
                if future.inner:
                    future.exception()


_DONE_LOOK = 1_024


def _run_now(stand_in: Any, fn: Packed, args: tuple[Any, ...], kwargs: dict[str, Any]) -> AnyFuture:
    """Where a workflow is run without a cluster, to know what it gives (`triort.testing`)."""
    future: AnyFuture = concurrent.futures.Future()
    try:
        future.set_result(stand_in.submit(fn.task, *fn.leading, *args, **kwargs).result())
    except Exception as exc:
        future.set_exception(exc)
    return future
