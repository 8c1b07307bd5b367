"""What task code sees: the runtime of the worker that it runs on."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from itertools import chain
from typing import Any

import attrs
import msgspec
import trio

from triort._core.worker_core import Running
from triort._model.errors import TaskInterrupted, UsageError
from triort._model.messages import Options, TaskSpec
from triort._node.futures import Future
from triort._node.options import check_options, set_options
from triort._node.worker import Worker
from triort._wire import payload

STAND_IN: ContextVar[Any] = ContextVar("triort_stand_in", default=None)
"""What `get_runtime` gives where there is no worker at all: for `triort.testing`, which runs workflows sequentially."""


def get_runtime() -> Runtime:
    """The runtime, for the task that calls this; does not block.

    Raises `UsageError` outside a task and off the task's thread.
    """
    stand_in = STAND_IN.get()
    if stand_in is not None:
        return stand_in  # type: ignore[no-any-return]
    worker = Worker.current
    if worker is None:
        raise UsageError("get_runtime() works inside a task only; outside, use triort.run or triort.open_cluster")
    if threading.get_ident() != worker.thread:
        raise UsageError("get_runtime() works on the task's own thread only, not in a thread that the task has started")
    worker.current_task()
    return Runtime(worker, Options())


@attrs.frozen(eq=False)
class Runtime:
    """The way for a task to its children. Get it by `get_runtime`; it is valid for the task that calls it."""

    _worker: Worker
    _options: Options

    def options(
        self,
        *,
        name: str | None = None,
        log_context: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        crash_limit: int | None = None,
        at_most_once: bool | None = None,
        retries: int | None = None,
        priority: int | None = None,
    ) -> Runtime:
        """The same runtime with task options set, for the tasks submitted through it.

        ``timeout_s`` counts from submission, in seconds; ``crash_limit`` is how often a task may take its worker with
        it; ``retries`` is how often a task that raised is run again; a higher ``priority`` starts earlier.
        """
        return Runtime(
            self._worker,
            set_options(self._options, name, log_context, timeout_s, crash_limit, at_most_once, retries, priority),
        )

    def submit(
        self,
        fn: Callable[..., Any],
        *args: Any,
        task_name: str | None = None,
        log_context: Mapping[str, str] = {},
        **kwargs: Any,
    ) -> Future:
        """Start ``fn(*args, **kwargs)`` as a child task, on any worker; does not block.

        Raises `UsageError` when the function or an argument cannot be pickled.
        """
        return self._submit(fn, [args], kwargs, task_name, log_context, is_map=False)

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        task_name: str | None = None,
        log_context: Mapping[str, str] = {},
        **kwargs: Any,
    ) -> Future:
        """Start ``fn`` for each tuple of items (as the builtin ``map`` pairs them), one child task each; all of them
        get ``kwargs``, too.

        The future gives the list of values in order. A child that fails cancels the others.
        """
        if not iterables:
            raise UsageError("map needs at least one iterable")
        return self._submit(fn, list(zip(*iterables, strict=False)), kwargs, task_name, log_context, is_map=True)

    def put(self, value: Any) -> payload.Ref:
        """Keep a value for several children: pass the `Ref` as an argument, and each worker gets the value once. Up to
        `REFS_MAX` of them go with one call."""
        return self._worker.functions.put(self._current().attempt.spec.job, value)

    async def next(self, future: Future) -> list[tuple[int, Any]]:
        """Wait until results of ``future`` have come since the last call, and return them as (index, value).

        A cancel only stops waiting. Raises what a child raised, after all have ended, and `UsageError` when all
        results have been taken.
        """
        return await future._next()

    def as_completed(self, future: Future) -> AsyncIterator[tuple[int, Any]]:
        """Iterate over (index, value) in the order in which the children end. A cancel only stops waiting, and so does
        leaving the loop early."""
        return CompletedChildren(future)

    def cancel(self, future: Future) -> None:
        """Cancel the children of ``future``, at once; awaiting it raises `TaskCancelled` from now on. Does not block:
        the calling task's own outcome waits for their end."""
        future._check_owner()
        if future._open:
            future._mark_cancelled()
            self._worker.notice()

    def communicate(self, future: Future, msg: Any) -> None:
        """Send a message to the children of ``future``, started or not; does not block."""
        future._check_owner()
        data = payload.dumps(msg)
        for child in future._open.values():
            self._worker.core.talk_to_child(child, data)
        self._worker.notice()

    def get_messages(self) -> list[Any]:
        """The messages that the parent has sent to this task since the last call; does not block."""
        running = self._current()
        self._worker.read_mail()
        messages, running.messages = running.messages, []
        return [payload.loads(message) for message in messages]

    def get_cache(self) -> dict[Any, Any]:
        """This worker's own dict, kept as long as the worker lives."""
        self._current()
        return self._worker.cache

    # -- inside --------------------------------------------------------------------------------------------------

    def _current(self) -> Running:
        running = self._worker.current_task()
        if running.cancelled and not self._worker.in_async_task():
            raise TaskInterrupted
        return running

    def _submit(
        self,
        fn: Callable[..., Any],
        calls: payload.Calls,
        kwargs: dict[str, Any],
        task_name: str | None,
        log_context: Mapping[str, str],
        *,
        is_map: bool,
    ) -> Future:
        worker, parent = self._worker, self._current()
        above = parent.attempt.spec
        options = self._options
        if task_name is not None or log_context or above.options.log_context:
            context = {**above.options.log_context, **options.log_context, **log_context}
            name = options.name if task_name is None else task_name
            options = check_options(msgspec.structs.replace(options, name=name, log_context=context))
        digest = worker.functions.dump(above.job, fn)
        name = payload.name_of(fn)
        spec = TaskSpec(above.job, digest, name, above.depth + 1, options, (), above.log_level)
        dumped, refs = payload.dump_calls(fn, calls, kwargs, worker.conn.store)
        if refs and not worker.core.hops.blobs.get(above.job, {}).keys() >= {*chain(*refs.values())}:
            raise UsageError("a Ref is of use in the job that it was put in; put the value again")
        future = Future(worker, parent, options.name or name, is_map=is_map)
        future._results = [None] * len(calls)
        deadline = None if options.timeout_s is None else worker.clock() + options.timeout_s
        for index, data in enumerate(dumped):
            task_spec = msgspec.structs.replace(spec, blobs=refs[index]) if index in refs else spec
            future._open[index] = worker.core.submit(parent, task_spec, data, future, index, deadline)
        worker.notice()
        return future


class CompletedChildren:
    """Iterates over the values of a future as they come; see `Runtime.as_completed`."""

    def __init__(self, future: Future) -> None:
        self._future = future
        self._batch: list[tuple[int, Any]] = []

    def __aiter__(self) -> CompletedChildren:
        return self

    async def __anext__(self) -> tuple[int, Any]:
        if not self._batch:
            if not self._future._has_more():
                raise StopAsyncIteration
            self._batch = (await self._future._next())[::-1]
        return self._batch.pop()


class Handle:
    """A child started in a nursery: ``value`` is there when the block has ended."""

    __slots__ = ("_name", "_value")

    def __init__(self, name: str) -> None:
        self._name = name
        self._value: tuple[Any] | None = None

    @property
    def value(self) -> Any:
        """What the child returned; raises `UsageError` before it has."""
        if self._value is None:
            raise UsageError(f"task {self._name} has no value (yet); it is there after the nursery block")
        return self._value[0]


class TaskNursery:
    """Children that end with the block; see `open_nursery`."""

    def __init__(self, runtime: Runtime, nursery: trio.Nursery) -> None:
        self._runtime = runtime
        self._nursery = nursery

    @property
    def cancel_scope(self) -> trio.CancelScope:
        """The scope around all children."""
        return self._nursery.cancel_scope

    def start_soon(self, fn: Callable[..., Any], *args: Any, name: str | None = None) -> Handle:
        """Start ``fn(*args)`` as a child task, on any worker; does not block."""
        future = self._runtime.submit(fn, *args, task_name=name)
        handle = Handle(future._name)
        self._nursery.start_soon(_await_into, future, handle)
        return handle


async def _await_into(future: Future, handle: Handle) -> None:
    handle._value = (await future,)


@asynccontextmanager
async def open_nursery() -> AsyncIterator[TaskNursery]:
    """A nursery for child tasks on any worker, by trio's rules: the block ends when all children have ended.

    A child that raises cancels the others; the block raises an ``ExceptionGroup``. A cancel of the block cancels the
    children and waits for their end.
    """
    runtime = get_runtime()
    async with trio.open_nursery() as nursery:
        yield TaskNursery(runtime, nursery)
