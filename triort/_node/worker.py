"""A worker: one process, one thread, one trio loop that runs the tasks of users.

The loop reads mail, lets the core decide, starts or resumes what is ready, and flushes what is to be sent:

    pump ── core ── step (sync tasks in greenlets, async ones in the nursery) ── flush ── wait for mail or a wake-up

Results gather while many short tasks run, and are flushed before a function that may take long, after a millisecond,
or when there is nothing to do. While sync code is on the CPU the loop stands still; then the boss's poke lets
`_on_poke` do the same business between two bytecodes of the user's code (see `interrupts`).
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import trio

from triort._core.links import Link
from triort._core.worker_core import Heard, Running, Settled, Stop, WorkerCore
from triort._model.errors import RemoteError, TaskInterrupted, UsageError
from triort._model.ids import NodeId
from triort._model.limits import FLUSH_RESULTS_MAX, FLUSH_US, GRACE_S
from triort._model.messages import Started
from triort._model.outcomes import OutcomeKind
from triort._node.assignment import WorkerAssignment
from triort._node.async_tasks import CURRENT, StepWatch
from triort._node.functions import Functions
from triort._node.futures import Future
from triort._node.interrupts import Allowed, allowed_for, files_above
from triort._node.output import TaskOutput
from triort._node.page import DEADLINE_NS, MAIL_READ, ON_CPU, ROOT, STEPS, SharedPage
from triort._node.sync_tasks import SyncTask, SyncTasks
from triort._transport.connection import Connection
from triort._transport.sockets import SocketConnection
from triort._wire import payload

EXIT_STUCK = 70


class AsyncTask:
    """The handle of an async task: its cancel scope."""

    __slots__ = ("ended", "scope")

    def __init__(self, scope: trio.CancelScope) -> None:
        self.scope = scope
        self.ended = trio.Event()


class Worker:
    """The worker of this process. `triort.get_runtime` finds it by `current`."""

    current: Worker | None = None

    def __init__(self, node_id: int, name: str, conn: Connection, page: SharedPage) -> None:
        self.name = name
        self.conn = conn
        self.page = page
        self.core = WorkerCore(NodeId(node_id), Link(conn, "boss", below=False))
        self.functions = Functions(self.core.hops.blobs)
        self.sync_tasks = SyncTasks(self._run_sync)
        self.output = TaskOutput(self)
        self.on_cpu: Running | None = None
        self.cache: dict[Any, Any] = {}
        self.thread = threading.get_ident()
        self.clock: Callable[[], float] = time.perf_counter
        self.waits: dict[Running, int] = {}
        self._clock_offset = 0.0
        self._waiting: dict[Future, float] = {}
        self._mail_read = 0
        self._results = 0
        self._boundary = {Worker._run_sync.__code__, Worker._run_async.__code__}
        self._watch = StepWatch(self._enter, self._leave, self._boundary)
        self._sleep: trio.CancelScope | None = None
        self._woken = False
        self._token: trio.lowlevel.TrioToken | None = None
        self._nursery: trio.Nursery | None = None

    async def run(self) -> None:
        """Serve the boss until it says shutdown or is gone."""
        Worker.current = self
        self._token = trio.lowlevel.current_trio_token()
        self._clock_offset = trio.current_time() - time.perf_counter()
        self.clock = lambda: time.perf_counter() + self._clock_offset
        trio.lowlevel.add_instrument(self._watch)
        signal.signal(signal.SIGUSR1, self._on_poke)
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self.conn.run_writer)
                self.conn.send_nowait(Started(1, self.name, os.getpid()))
                try:
                    await self._loop()
                except (trio.EndOfChannel, trio.BrokenResourceError):
                    pass  # the boss is gone, and with it everybody who could want a result
                nursery.cancel_scope.cancel()
        finally:
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            trio.lowlevel.remove_instrument(self._watch)
            Worker.current = None
            self.conn.close()

    # -- the loop ------------------------------------------------------------------------------------------------

    async def _loop(self) -> None:
        core = self.core
        while not core.shutting_down:
            self._woken = False
            self._read(self.conn.receive_nowait())
            if self._step():
                await trio.lowlevel.checkpoint()
                continue
            self.flush()
            if not self._woken:
                await self._sleep_until_mail()

    async def _sleep_until_mail(self) -> None:
        deadline = self.core.next_deadline()
        with trio.CancelScope(deadline=float("inf") if deadline is None else deadline) as self._sleep:
            self._read(await self.conn.receive())
        self._sleep = None

    def wake(self) -> None:
        """Something in this loop has changed the books: look again. Called from other trio tasks here."""
        self._woken = True
        if self._sleep is not None:
            self._sleep.cancel()

    def _read(self, mail: list[Any]) -> None:
        self._take_in(mail)
        self._act()

    def _take_in(self, mail: list[Any]) -> None:
        """Let the core process mail and time; only notes what is to be done."""
        core = self.core
        core.now = self.clock()
        for message, parts in mail:
            core.handle_message(message, parts)
        if mail:
            self._mail_read += len(mail)
            self.page.words[MAIL_READ] = self._mail_read
        core.expire()

    def _act(self) -> None:
        """Carry out what the core has decided."""
        core = self.core
        while core.events:
            events, core.events = core.events, []
            for event in events:
                match event:
                    case Settled(child, result):
                        child.future._settle(child, result)
                    case Stop(running):
                        self._stop(running)
                    case Heard():
                        pass

    def _stop(self, running: Running) -> None:
        handle = running.handle
        if isinstance(handle, SyncTask):
            self.sync_tasks.wake(handle, interrupt=True)
        elif isinstance(handle, AsyncTask):
            handle.scope.cancel()
            if self._nursery is not None:
                self._nursery.start_soon(self._watch_stop, running, handle)

    async def _watch_stop(self, running: Running, handle: AsyncTask) -> None:
        """A cancelled async task has the grace time to end, not counting its waits for children (who have their own);
        after that, this process goes."""
        while not handle.ended.is_set():
            with trio.move_on_after(GRACE_S):
                await handle.ended.wait()
            if not handle.ended.is_set() and running.holds_slot:
                name = running.attempt.spec.function_name
                os.write(2, f"{self.name}: task {name} did not end {GRACE_S} s after its cancel\n".encode())
                os._exit(EXIT_STUCK)

    def _step(self) -> bool:
        """Start and resume what is ready, for about a millisecond; false when there was nothing."""
        core, sync_tasks = self.core, self.sync_tasks
        until = time.perf_counter_ns() + FLUSH_US * 1000
        worked = False
        core.now = self.clock()
        while True:
            if sync_tasks.resumable:
                task = sync_tasks.resumable.popleft()
                self.retake(task.running)
                sync_tasks.resume(task)
            else:
                running = core.next_task()
                if running is None:
                    break
                self._start(running)
            worked = True
            if core.events:
                self._act()
            if self._results >= FLUSH_RESULTS_MAX or time.perf_counter_ns() > until:
                break
        if worked:
            self.flush()
        return worked

    def flush(self, keep: int | None = None) -> None:
        """Send what is to be sent; ``keep`` is how many tasks are not offered to the boss."""
        core = self.core
        core.offer((0 if core.occupied else 1) if keep is None else keep)
        idle = not (core.backlog or core.occupied or self.sync_tasks.resumable or core.events)
        self.output.flush()
        for conn, message, parts in core.flush(idle):
            conn.send_nowait(message, parts)  # type: ignore[attr-defined]
        self._results = 0
        self.conn.flush_nowait()

    # -- tasks ---------------------------------------------------------------------------------------------------

    def _start(self, running: Running) -> None:
        known = self.functions.known(running.attempt.spec.function)
        if self._results and (known is None or not known.cost_ns or known.cost_ns > FLUSH_US * 1000):
            self.flush()
        self._enter(running)
        try:
            function = self.functions.load(running.attempt)
            args, kwargs = self.functions.load_call(running.attempt)
        except BaseException as exc:  # the user's modules and classes run here: anything may come
            self._leave()
            self._returned(running, OutcomeKind.ERROR, payload.dump_failure(exc), 0)
            return
        self._leave()
        if function.is_async:
            assert self._nursery is not None
            self._nursery.start_soon(self._run_async, running, function.call, args, kwargs)
        else:
            self.sync_tasks.start(running, function.call, args, kwargs)

    def _run_sync(
        self, running: Running, call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """One sync task, from its start to its outcome; runs in its greenlet."""
        start = time.perf_counter_ns()
        self._enter(running)
        try:
            value = call(*args, **kwargs)
        except BaseException as exc:  # every way to leave a user's function is an outcome
            self._leave()
            kind, data = self._failure(running, exc)
        else:
            self._leave()
            if hasattr(value, "__await__") and hasattr(value, "send"):
                assert self._nursery is not None
                self._nursery.start_soon(self._run_async, running, _awaited, (value,), {})
                return
            kind, data = self._value(value)
        self._measure(running, start)
        self._returned(running, kind, data, (time.perf_counter_ns() - start) // 1000)

    async def _run_async(
        self,
        running: Running,
        call: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        """One async task, from its start to its outcome; runs in its own trio task."""
        start = time.perf_counter_ns()
        CURRENT.set(running)
        self._enter(running)
        deadline = running.attempt.deadline
        scope = trio.CancelScope(deadline=float("inf") if deadline is None else deadline)
        running.handle = AsyncTask(scope)
        if running.cancelled:
            scope.cancel()
        value: Any = None
        failure: BaseException | None = None
        try:
            with scope:
                value = await call(*args, **kwargs)
        except trio.Cancelled:
            raise
        except BaseException as exc:
            failure = exc
        CURRENT.set(None)
        self._leave()
        running.handle.ended.set()
        if failure is not None:
            kind, data = self._failure(running, failure)
        elif scope.cancelled_caught and not running.cancelled:
            kind, data = OutcomeKind.TIMEOUT, str(running.attempt.spec.options.timeout_s).encode()
        else:
            kind, data = self._value(value)
        self._measure(running, start)
        self._returned(running, kind, data, (time.perf_counter_ns() - start) // 1000)
        self._act()
        self.wake()

    def _returned(self, running: Running, kind: int, data: bytes, duration_us: int) -> None:
        waited = self.waits.pop(running, 0)
        self.output.end_task(running)
        running.handle = None
        self._results += 1
        self.core.returned(running, kind, data, max(duration_us - waited // 1000, 1))

    def _measure(self, running: Running, start_ns: int) -> None:
        function = self.functions.known(running.attempt.spec.function)
        if function is not None:
            took = time.perf_counter_ns() - start_ns - self.waits.get(running, 0)
            function.cost_ns = took if not function.cost_ns else 0.8 * function.cost_ns + 0.2 * took

    def _value(self, value: Any) -> tuple[int, bytes]:
        try:
            return OutcomeKind.VALUE, payload.dumps(value)
        except Exception as exc:
            kind = type(value).__qualname__
            reason = payload.describe(exc)
            error = RemoteError(type(exc).__qualname__, f"the result ({kind}) cannot be pickled: {reason}")
            return OutcomeKind.ERROR, payload.dump_failure(error)

    def _failure(self, running: Running, exc: BaseException) -> tuple[int, bytes]:
        if isinstance(exc, TaskInterrupted) and not running.cancelled:
            deadline = running.attempt.deadline
            if deadline is not None:
                return OutcomeKind.TIMEOUT, str(running.attempt.spec.options.timeout_s).encode()
        return OutcomeKind.ERROR, payload.dump_failure(exc)

    # -- for the task's own calls --------------------------------------------------------------------------------

    def current_task(self) -> Running:
        """The task on the CPU; raises `UsageError` when the caller is none."""
        if self.on_cpu is None:
            raise UsageError("this works inside a task only")
        return self.on_cpu

    def in_async_task(self) -> bool:
        """True if the task on the CPU is an async one."""
        return self.on_cpu is not None and isinstance(self.on_cpu.handle, AsyncTask)

    def notice(self) -> None:
        """The task on the CPU has changed the books: tell the boss what concerns it, and have the loop look."""
        self.flush(keep=1)
        if self.core.events and self.in_async_task():
            self.wake()

    def read_mail(self) -> None:
        """Let the task on the CPU see mail that has come meanwhile."""
        self._take_in(self.conn.receive_nowait())
        if self.core.events and self.in_async_task():
            self.wake()

    def suspend_sync(self, running: Running, future: Future) -> None:
        """The sync task on the CPU waits; comes back when something has happened."""
        self._leave()
        self.suspend(running, future)
        try:
            self.sync_tasks.wait(running)
        finally:
            self._enter(running)

    def suspend(self, running: Running, future: Future, deadline: float = float("inf")) -> None:
        """The task waits for a future, at most until ``deadline``: its slot is free."""
        self.waits[running] = self.waits.get(running, 0) - time.perf_counter_ns()
        if deadline < float("inf"):
            self._waiting[future] = deadline
            self._publish_deadline()
        self.core.release_slot(running)

    def retake(self, running: Running, future: Future | None = None) -> None:
        """The task goes on."""
        self.waits[running] = self.waits.get(running, 0) + time.perf_counter_ns()
        if future is not None and self._waiting.pop(future, None) is not None:
            self._publish_deadline()
        self.core.retake_slot(running)

    def _publish_deadline(self) -> None:
        """Tell the boss when to poke, should a task keep the CPU beyond the time that another waits for it."""
        deadline = min(self._waiting.values(), default=0.0)
        self.page.words[DEADLINE_NS] = int(max(deadline - self._clock_offset, 0.0) * 1e9)

    # -- the CPU -------------------------------------------------------------------------------------------------

    def _enter(self, running: Running) -> None:
        self.on_cpu = running
        words = self.page.words
        words[ON_CPU] = running.attempt.address
        words[ROOT] = running.root
        words[STEPS] += 1

    def _leave(self) -> None:
        self.on_cpu = None
        self.page.words[ON_CPU] = 0

    def _on_poke(self, number: int, frame: FrameType | None) -> None:
        """The boss wants to be heard while the user's code is on the CPU."""
        running = self.on_cpu
        if running is None:
            return
        files = files_above(frame, self._boundary)
        allowed = Allowed.NOTHING if files is None else allowed_for(files)
        if allowed is Allowed.NOTHING:
            return
        self._do_business()
        if allowed is Allowed.INTERRUPT and self._is_over(running):
            raise TaskInterrupted

    def _do_business(self) -> None:
        """Read mail, note cancels, hand over unstarted tasks and results. Runs in the middle of the user's code, so it
        resumes nothing: what the core wants done stays in its events until the loop goes on."""
        try:
            mail = self.conn.receive_nowait()
        except (trio.EndOfChannel, trio.BrokenResourceError):
            return  # the loop will meet the same end
        self._take_in(mail)
        for future, deadline in self._waiting.items():
            if deadline <= self.core.now:
                future._cancel_open()
        self.flush(keep=0)
        if self.core.events and self._token is not None:
            self._token.run_sync_soon(self._after_poke, idempotent=True)

    def _after_poke(self) -> None:
        self._act()
        self.wake()

    def _is_over(self, running: Running) -> bool:
        deadline = running.attempt.deadline
        return running.cancelled or (deadline is not None and deadline <= self.core.now)


async def _awaited(value: Any) -> Any:
    return await value


def run_worker(assignment: WorkerAssignment) -> None:
    """The entry of a forked worker; returns when the boss has said shutdown or is gone."""
    sock = socket.socket(fileno=assignment.link_fd)
    sock.setblocking(False)
    page = SharedPage.from_fd(assignment.page_fd)
    worker = Worker(assignment.node_id, assignment.name, SocketConnection(sock, "boss"), page)
    with worker.output.redirected():
        trio.run(worker.run)
