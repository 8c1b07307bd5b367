"""Async task functions: pooled trio tasks of the worker's nursery, each of which runs one function after the other.

A trio task for each function would cost several times what most of them do. So a *runner* goes on with the next
function as soon as one has ended, and parks when there is none. While a function waits, its runner waits with it, and
the next function goes to another one.

Nothing of one function is left to the next: each has a cancel scope of its own, and a `contextvars` context of its own,
in which `_drive` runs its steps.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Coroutine, Generator
from types import CodeType, CoroutineType, coroutine
from typing import TYPE_CHECKING, Any, NamedTuple

import trio

from triort._core.worker_core import Running
from triort._model.marks import sometimes
from triort._model.outcomes import OutcomeKind
from triort._node.steps import CURRENT

if TYPE_CHECKING:
    from triort._node.execution import Execution

RUNNERS_MAX = 256
"""How many stay when they have nothing to do."""


class AsyncCall(NamedTuple):
    """A started async task: what is to be called."""

    running: Running
    call: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class AsyncTask:
    """The handle of an async task whose function is being called: how to cancel it, and when it has ended."""

    __slots__ = ("ended", "scope")

    def __init__(self, scope: trio.CancelScope) -> None:
        self.scope = scope
        self.ended: trio.Event | None = None
        """For who waits for it."""


class AsyncTasks:
    """The runners of one worker."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._idle: list[Runner] = []
        self.nursery: trio.Nursery | None = None

    def start(self, call: AsyncCall) -> None:
        """Have a runner run it, in this loop's next round."""
        if self._idle:
            self._idle.pop().go_on(call)
        else:
            assert self.nursery is not None
            self.nursery.start_soon(Runner(self._execution, self._idle).run, call)


class Runner:
    """A trio task that runs one async function after the other."""

    __slots__ = ("_call", "_execution", "_idle", "_task")

    def __init__(self, execution: Execution, idle: list[Runner]) -> None:
        self._execution = execution
        self._idle = idle
        self._call: AsyncCall | None = None
        self._task: trio.lowlevel.Task | None = None

    async def run(self, call: AsyncCall | None) -> None:
        """Run this function, and others after it, until too many runners have nothing to do. Who has let something be
        raised ends, too, and another one goes on: the function may have left scopes of its own open."""
        execution = self._execution
        execution.begin_slice()
        while call is not None:
            is_sound = True
            scope = trio.CancelScope()
            outcome: tuple[int, bytes] | None = None
            try:
                with scope:
                    outcome = await self._run_call(call, scope)
            except trio.Cancelled:
                raise  # the worker itself ends
            except BaseException as exc:
                is_sound, outcome = False, execution.failure_of(call.running, exc)
            self._end(call.running, *(outcome or execution.stopped(call.running)))
            if not is_sound:
                execution.worker.go_on()
                return
            outcome = None  # while it is parked, a runner keeps nothing of what it has run: values may be large
            call = execution.next_async()
            if call is None:
                call = await self._wait_for_call()

    def go_on(self, call: AsyncCall) -> None:
        """Run this function next; for a parked runner."""
        self._call = call
        assert self._task is not None
        trio.lowlevel.reschedule(self._task)

    async def _run_call(self, call: AsyncCall, scope: trio.CancelScope) -> tuple[int, bytes]:
        running = call.running
        if running.cancelled:  # since it was taken from the backlog: its function is not called any more
            sometimes("an async task is cancelled before its first step")
            if call.call is awaited:
                call.args[0].close()
            return OutcomeKind.CANCELLED, b""
        worker = self._execution.worker
        CURRENT.set((worker, running))
        worker.enter(running)
        if running.attempt.deadline is not None:
            scope.deadline = running.attempt.deadline
        running.handle = AsyncTask(scope)
        context = contextvars.copy_context()
        value = await _drive(context, context.run(call.call, *call.args, **call.kwargs))
        return self._execution.value_of(value)

    def _end(self, running: Running, kind: int, data: bytes) -> None:
        CURRENT.set(None)
        self._execution.worker.leave()
        handle = running.handle
        if isinstance(handle, AsyncTask) and handle.ended is not None:
            handle.ended.set()
        self._execution.end(running, kind, data)

    async def _wait_for_call(self) -> AsyncCall | None:
        """Park until there is something to do; None if too many are parked already."""
        self._execution.worker.go_on_elsewhere()
        if len(self._idle) >= RUNNERS_MAX:
            return None
        self._task = trio.lowlevel.current_task()
        self._idle.append(self)
        await trio.lowlevel.wait_task_rescheduled(self._stop_waiting)
        self._execution.begin_slice()
        call, self._call = self._call, None
        return call

    def _stop_waiting(self, raise_cancel: object) -> trio.lowlevel.Abort:
        self._idle.remove(self)
        return trio.lowlevel.Abort.SUCCEEDED


async def awaited(value: Any) -> Any:
    """What a sync function that has returned a coroutine still has to do."""
    return await value


@coroutine
def _drive(context: contextvars.Context, called: Any) -> Generator[Any, Any, Any]:
    """Await what an async function has given, each step of it in this context."""
    steps: Coroutine[Any, Any, Any] = called if type(called) is CoroutineType else awaited(called)
    run = context.run
    try:
        trap = run(steps.send, None)
        while True:
            try:
                value = yield trap
            except BaseException as exc:  # whatever trio raises in the task is for the function
                trap = run(steps.throw, exc)
            else:
                trap = run(steps.send, value)
    except StopIteration as stop:
        return stop.value


BOUNDARY: CodeType = _drive.__code__
"""Where async functions are called: frames below this one are not the task's."""
