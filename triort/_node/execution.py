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
from triort._model.limits import FEW_TASKS, FIRST_FLUSH_US, FLUSH_RESULTS_MAX, FLUSH_US, GRACE_LOOK_S, GRACE_S, TURN_US
from triort._model.outcomes import OutcomeKind
from triort._node.async_tasks import BOUNDARY, AsyncCall, AsyncTask, AsyncTasks, awaited
from triort._node.functions import Function
from triort._node.page import DONE, UNSENT
from triort._node.sync_tasks import SyncTasks, SyncWait
from triort._wire import payload

if TYPE_CHECKING:
    from triort._node.worker import Worker

EXIT_STUCK = 70

Call = Callable[..., Any]
Args = tuple[Any, ...]
Kwargs = dict[str, Any]


class Execution:
    """Runs the tasks that the core has started: async ones in `async_tasks`, sync ones in `sync_tasks`."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._clock_ns = worker.clock_ns
        self.sync_tasks = SyncTasks(self._run_batch)
        self.async_tasks = AsyncTasks(self)
        self._until_ns = self._turn_ns = 0
        self.has_rested = True
        """Whether the worker's loop has slept since the last slice."""
        self._next_sync: Running | None = None
        """A started task whose turn it is, left to the worker's loop."""
        self._to_spawn: list[AsyncCall] = []
        self.boundary: set[CodeType] = {BOUNDARY}
        """Where async code is called, by triort or (for tasks in users' nurseries) by trio's loop."""

    @property
    def has_ready(self) -> bool:
        """Whether the worker's loop has something to start or to resume."""
        core = self.worker.core
        return bool(self.sync_tasks.resumable or self._next_sync or (core.backlog and not core.occupied))

    def begin_slice(self) -> None:
        """From now on tasks may run for `FLUSH_US`, before the worker's loop is to look; not as long in the first slice
        after a rest, for somebody may wait for the first of many results. That of few is there soon anyway."""
        is_short = self.has_rested and len(self.worker.core.backlog) > FEW_TASKS
        now_ns = self._clock_ns()
        self._until_ns = now_ns + (FIRST_FLUSH_US if is_short else FLUSH_US) * 1000
        self._turn_ns = now_ns + TURN_US * 1000
        self.has_rested = False

    @property
    def is_slice_over(self) -> bool:
        """Whether the worker's loop is to look: for the time, for results that wait, for what the books say."""
        worker = self.worker
        return bool(worker.core.events) or worker.results >= FLUSH_RESULTS_MAX or self._clock_ns() > self._until_ns

    @property
    def is_turn_due(self) -> bool:
        """Whether a task whose children run here and now is to let trio's loop have its turn."""
        return self._clock_ns() > self._turn_ns or self.is_slice_over

    def step(self) -> bool:
        """Start and resume what is ready, until the loop is to look; false when there was nothing. Called in the
        loop."""
        sync_tasks = self.sync_tasks
        if sync_tasks.resumable:
            wait = sync_tasks.resumable.pop(0)
            self.worker.waits.end(wait.running)
            sync_tasks.resume(wait)
        elif self.has_ready:
            sync_tasks.start_batch()
        else:
            return False
        for call in self._to_spawn:
            self.async_tasks.start(call)
        self._to_spawn.clear()
        return True

    def next_async(self) -> AsyncCall | None:
        """Start the next task, if it is an async one: for a runner that has ended another one, or is about to wait for
        one. None when there is none, or when it is the turn of the worker's loop."""
        worker = self.worker
        if worker.core.events:
            worker.act()
        if self._next_sync is not None or self.sync_tasks.resumable or self.is_slice_over:
            return None
        running = worker.core.next_task()
        if running is None:
            return None
        function = worker.functions.known(running.attempt.spec.function)
        if function is None or not function.is_async:
            self._next_sync = running
            return None
        loaded = self._load(running)
        return None if loaded is None else AsyncCall(running, loaded[0].call, *loaded[1:])

    def _run_batch(self) -> None:
        """Run ready tasks one after the other; in a greenlet, and without trio's context."""
        core = self.worker.core
        while True:
            running, self._next_sync = self._next_sync, None
            running = running or core.next_task()
            if running is None:
                return
            self._start(running)
            if self.is_slice_over:
                return

    def _start(self, running: Running) -> None:
        """Load function and arguments and run the task, a sync one until its end."""
        if running.cancelled:  # while it was left to the loop
            running.started_ns = self._clock_ns()
            self.end(running, OutcomeKind.CANCELLED, b"")
            return
        loaded = self._load(running)
        if loaded is None:
            return
        function, args, kwargs = loaded
        if function.is_async:
            self._to_spawn.append(AsyncCall(running, function.call, args, kwargs))
        else:
            self._run_sync(running, function, args, kwargs)

    def _load(self, running: Running) -> tuple[Function, Args, Kwargs] | None:
        """What is to be called, and with which arguments; None if that fails, which is the task's outcome."""
        worker, attempt = self.worker, running.attempt
        running.started_ns = self._clock_ns()
        function = worker.functions.known(attempt.spec.function)
        if worker.results and (function is None or not 0 < function.cost_ns <= FLUSH_US * 1000):
            worker.flush()
        if attempt.deadline is not None:
            worker.waits.publish()
        worker.enter(running)
        try:
            if function is None:
                function = worker.functions.load(attempt)
            running.function = function
            args, kwargs = worker.functions.load_call(attempt)
        except BaseException as exc:  # the user's modules and classes run here: anything may come
            failure = payload.dump_failure(exc)
            worker.leave()
            self.end(running, OutcomeKind.ERROR, failure)
            return None
        if function.is_async:
            worker.leave()
        return function, args, kwargs

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
            handle.ended = trio.Event()
            assert self.async_tasks.nursery is not None
            self.async_tasks.nursery.start_soon(self._watch_stop, running, handle.ended)

    async def _watch_stop(self, running: Running, ended: trio.Event) -> None:
        """A cancelled async task has the grace time to end, not counting its waits for children (who have their own);
        after that, this process goes."""
        held_s = 0.0
        while not ended.is_set():
            with trio.move_on_after(GRACE_LOOK_S):
                await ended.wait()
            held_s += GRACE_LOOK_S if running.holds_slot else 0.0
            if held_s >= GRACE_S and not ended.is_set():
                name = running.attempt.spec.function_name
                reason = f"{self.worker.name}: task {name} did not end {GRACE_S} s after its cancel\n"
                self.worker.enter(running)  # so that the boss knows whom to blame
                self.worker.process.exit(EXIT_STUCK, reason)

    def _run_sync(self, running: Running, function: Function, args: Args, kwargs: Kwargs) -> None:
        """One sync task, from its start to its outcome; it is on the CPU already."""
        try:
            value = contextvars.Context().run(_call_user, function.call, args, kwargs)
        except BaseException as exc:  # every way to leave a user's function is an outcome
            kind, data = self.failure_of(running, exc)
        else:
            if type(value) is CoroutineType:
                self.worker.leave()
                self._to_spawn.append(AsyncCall(running, awaited, (value,), {}))
                return
            kind, data = self.value_of(value)
        self.worker.leave()
        self.end(running, kind, data)

    def stopped(self, running: Running) -> tuple[int, bytes]:
        """The outcome of an async task that its scope has ended."""
        return (OutcomeKind.CANCELLED, b"") if running.cancelled else self._timeout(running)

    def end(self, running: Running, kind: int, data: bytes) -> None:
        """A started task has its outcome; its code has left the CPU."""
        worker = self.worker
        took_ns = self._clock_ns() - running.started_ns - running.waited_ns
        function = running.function
        if function is not None:
            function.cost_ns = took_ns if not function.cost_ns else 0.8 * function.cost_ns + 0.2 * took_ns
        worker.output.end_task(running)
        running.handle = None
        words = worker.page.words
        if running.attempt.origin is not None:  # else it goes to its parent, who is here
            words[UNSENT] = 1
        worker.results += 1
        worker.done += 1
        words[DONE] = worker.done
        worker.core.returned(running, kind, data, max(took_ns // 1000, 1))
        if running.attempt.deadline is not None:
            worker.waits.publish()

    def value_of(self, value: Any) -> tuple[int, bytes]:
        """The outcome of a task that has returned."""
        try:
            return OutcomeKind.VALUE, payload.dumps(value, self.worker.conn.store)
        except BaseException as exc:  # pickling runs the user's code, too
            kind = type(value).__qualname__
            reason = payload.describe(exc)
            error = RemoteError(type(exc).__qualname__, f"the result ({kind}) cannot be pickled: {reason}")
            return OutcomeKind.ERROR, payload.dump_failure(error)

    def failure_of(self, running: Running, exc: BaseException) -> tuple[int, bytes]:
        """The outcome of a task that has raised."""
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
