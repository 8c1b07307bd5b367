"""How a worker runs the functions of users: from a started task to its outcome, async and sync alike.

Whatever a function does (returns, raises anything at all, is interrupted) becomes one outcome; the worker lives on.
While a task's code, or code of its values that pickle calls, is on the CPU, the worker's page says so.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from types import CodeType, CoroutineType
from typing import TYPE_CHECKING, Any

import trio

from triort._core.worker_core import Running
from triort._model.errors import RemoteError, TaskInterrupted
from triort._model.limits import FLUSH_RESULTS_MAX, FLUSH_US, GRACE_LOOK_S, GRACE_S
from triort._model.marks import sometimes
from triort._model.outcomes import OutcomeKind
from triort._node.async_tasks import CURRENT
from triort._node.page import DONE, UNSENT
from triort._node.sync_tasks import SyncTasks, SyncWait
from triort._wire import payload

if TYPE_CHECKING:
    from triort._node.worker import Worker

EXIT_STUCK = 70

Call = Callable[..., Any]
Args = tuple[Any, ...]
Kwargs = dict[str, Any]


class AsyncTask:
    """The handle of an async task: its cancel scope, and when its function has returned."""

    __slots__ = ("ended", "scope")

    def __init__(self, scope: trio.CancelScope) -> None:
        self.scope = scope
        self.ended = trio.Event()


class Execution:
    """Runs the tasks that the core has started."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._clock_ns = worker.clock_ns
        self.sync_tasks = SyncTasks(self._run_batch)
        self.nursery: trio.Nursery | None = None
        self._until_ns = 0
        self._to_spawn: list[tuple[Running, Call, Args, Kwargs]] = []
        self.boundary: set[CodeType] = {Execution._run_async.__code__}
        """Where async code is called, by triort or (for tasks in users' nurseries) by trio's loop."""

    def step(self, until_ns: int) -> bool:
        """Start and resume what is ready, until the books or the time say that the loop is to look; false when there
        was nothing. Called in the loop."""
        sync_tasks = self.sync_tasks
        self._until_ns = until_ns
        if sync_tasks.resumable:
            wait = sync_tasks.resumable.pop(0)
            self.worker.waits.end(wait.running)
            sync_tasks.resume(wait)
        elif self.worker.core.backlog and not self.worker.core.occupied:
            sync_tasks.start_batch()
        else:
            return False
        if self._to_spawn:
            assert self.nursery is not None
            for call in self._to_spawn:
                self.nursery.start_soon(self._run_async, *call)
            self._to_spawn.clear()
        return True

    def _run_batch(self) -> None:
        """Run ready tasks one after the other; in a greenlet, and without trio's context."""
        worker = self.worker
        core = worker.core
        while True:
            running = core.next_task()
            if running is None:
                return
            self._start(running)
            if core.events or worker.results >= FLUSH_RESULTS_MAX or self._clock_ns() > self._until_ns:
                return

    def _start(self, running: Running) -> None:
        """Load function and arguments and run the task, a sync one until its end."""
        worker, attempt = self.worker, running.attempt
        start_ns = self._clock_ns()
        function = worker.functions.known(attempt.spec.function)
        if worker.results and (function is None or not 0 < function.cost_ns <= FLUSH_US * 1000):
            worker.flush()
        if attempt.deadline is not None:
            worker.waits.publish()
        worker.enter(running)
        try:
            if function is None:
                function = worker.functions.load(attempt)
            args, kwargs = worker.functions.load_call(attempt)
        except BaseException as exc:  # the user's modules and classes run here: anything may come
            failure = payload.dump_failure(exc)
            worker.leave()
            self._return(running, OutcomeKind.ERROR, failure, start_ns)
            return
        if function.is_async:
            worker.leave()
            self._to_spawn.append((running, function.call, args, kwargs))
        else:
            self._run_sync(running, function.call, args, kwargs, start_ns)

    def boundary_of(self, running: Running) -> set[CodeType]:
        """Where triort calls the task's function: frames below these are not the task's. For a sync task trio's loop is
        none: there it would be one that the task has started."""
        return self.boundary if isinstance(running.handle, AsyncTask) else _SYNC_BOUNDARY

    def stop(self, running: Running) -> None:
        """A started task is cancelled: stop it where it waits. Called in the loop. Without a handle it is sync code on
        the CPU, which a poke interrupts, or an async task before its first step, which looks for itself."""
        handle = running.handle
        if isinstance(handle, SyncWait):
            self.sync_tasks.wake(handle, interrupt=True)
        elif isinstance(handle, AsyncTask):
            handle.scope.cancel()
            assert self.nursery is not None
            self.nursery.start_soon(self._watch_stop, running, handle)

    async def _watch_stop(self, running: Running, handle: AsyncTask) -> None:
        """A cancelled async task has the grace time to end, not counting its waits for children (who have their own);
        after that, this process goes."""
        held_s = 0.0
        while not handle.ended.is_set():
            with trio.move_on_after(GRACE_LOOK_S):
                await handle.ended.wait()
            held_s += GRACE_LOOK_S if running.holds_slot else 0.0
            if held_s >= GRACE_S and not handle.ended.is_set():
                name = running.attempt.spec.function_name
                reason = f"{self.worker.name}: task {name} did not end {GRACE_S} s after its cancel\n"
                self.worker.enter(running)  # so that the boss knows whom to blame
                self.worker.process.exit(EXIT_STUCK, reason)

    def _run_sync(self, running: Running, call: Call, args: Args, kwargs: Kwargs, start_ns: int) -> None:
        """One sync task, from its start to its outcome; it is on the CPU already."""
        try:
            value = contextvars.Context().run(_call_user, call, args, kwargs)
        except BaseException as exc:  # every way to leave a user's function is an outcome
            kind, data = self._failure(running, exc)
        else:
            if type(value) is CoroutineType:
                self.worker.leave()
                self._to_spawn.append((running, _awaited, (value,), {}))
                return
            kind, data = self._value(value)
        self.worker.leave()
        self._return(running, kind, data, start_ns)

    async def _run_async(self, running: Running, call: Call, args: Args, kwargs: Kwargs) -> None:
        """One async task, from its start to its outcome; runs in its own trio task."""
        worker = self.worker
        start = self._clock_ns()
        if running.cancelled:  # since it was taken from the backlog: its function is not called any more
            sometimes("an async task is cancelled before its first step")
            if call is _awaited:
                args[0].close()
            self._end_async(running, OutcomeKind.CANCELLED, b"", start)
            return
        CURRENT.set((worker, running))
        worker.enter(running)
        deadline = running.attempt.deadline
        scope = trio.CancelScope(deadline=float("inf") if deadline is None else deadline)
        handle = running.handle = AsyncTask(scope)
        failure: BaseException | None = None
        value: Any = None
        try:
            with scope:
                value = await call(*args, **kwargs)
        except trio.Cancelled:
            raise  # the worker itself ends
        except BaseException as exc:
            failure = exc
        if failure is not None:
            kind, data = self._failure(running, failure)
        elif scope.cancelled_caught and not running.cancelled:
            kind, data = self._timeout(running)
        else:
            kind, data = self._value(value)
        CURRENT.set(None)
        worker.leave()
        handle.ended.set()
        self._end_async(running, kind, data, start)

    def _end_async(self, running: Running, kind: int, data: bytes, start_ns: int) -> None:
        self._return(running, kind, data, start_ns)
        self.worker.act()
        self.worker.wake()

    def _return(self, running: Running, kind: int, data: bytes, start_ns: int) -> None:
        worker = self.worker
        took_ns = self._clock_ns() - start_ns - worker.waits.take_ns(running)
        function = worker.functions.known(running.attempt.spec.function)
        if function is not None:
            function.cost_ns = took_ns if not function.cost_ns else 0.8 * function.cost_ns + 0.2 * took_ns
        worker.output.end_task(running)
        running.handle = None
        worker.results += 1
        words = worker.page.words
        words[UNSENT] = 1
        words[DONE] += 1
        worker.core.returned(running, kind, data, max(took_ns // 1000, 1))
        if running.attempt.deadline is not None:
            worker.waits.publish()

    def _value(self, value: Any) -> tuple[int, bytes]:
        try:
            return OutcomeKind.VALUE, payload.dumps(value)
        except BaseException as exc:  # pickling runs the user's code, too
            kind = type(value).__qualname__
            reason = payload.describe(exc)
            error = RemoteError(type(exc).__qualname__, f"the result ({kind}) cannot be pickled: {reason}")
            return OutcomeKind.ERROR, payload.dump_failure(error)

    def _failure(self, running: Running, exc: BaseException) -> tuple[int, bytes]:
        if isinstance(exc, TaskInterrupted) and not running.cancelled and running.attempt.deadline is not None:
            return self._timeout(running)
        return OutcomeKind.ERROR, payload.dump_failure(exc)

    def _timeout(self, running: Running) -> tuple[int, bytes]:
        return OutcomeKind.TIMEOUT, str(running.attempt.spec.options.timeout_s).encode()


_call_user: Callable[[Call, Args, Kwargs], Any] = eval(
    compile("lambda call, args, kwargs: call(*args, **kwargs)", "<task>", "eval")
)
"""Calls a user's function from a frame that is not triort's, so that a builtin as a task can be interrupted, too."""

_SYNC_BOUNDARY: set[CodeType] = {Execution._run_sync.__code__}


async def _awaited(value: Any) -> Any:
    return await value
