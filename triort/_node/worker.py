"""A worker: one process, one thread, one trio loop that runs the tasks of users.

The loop reads mail, lets the core decide, starts or resumes what is ready, and flushes what is to be sent:

    pump ── core ── step (sync tasks in greenlets, async ones in the nursery) ── flush ── wait for mail or a wake-up

Results gather while many short tasks run, and are flushed before a function that may take long, after a millisecond,
or when there is nothing to do. While sync code is on the CPU the loop stands still; then the boss's poke lets
`Worker.answer_poke` do the same business between two bytecodes of the user's code (see `interrupts`).
"""

from __future__ import annotations

import threading
import traceback
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import trio

from triort._core.links import Link
from triort._core.worker_core import Heard, Running, Settled, Stop, WorkerCore
from triort._model.errors import ProtocolError, UsageError
from triort._model.ids import NodeId
from triort._model.messages import Forget, Started
from triort._node.async_tasks import AsyncTask
from triort._node.execution import Execution
from triort._node.functions import Functions
from triort._node.output import TaskOutput
from triort._node.page import MAIL_READ, ON_CPU, OVER, QUEUED, ROOT, STEPS, UNSENT
from triort._node.process import OwnProcess, Process
from triort._node.waits import Waits
from triort._transport.connection import LocalConnection

if TYPE_CHECKING:
    from triort._node.machine import Page

EXIT_BUG = 71


class Worker:
    """A worker. `triort.get_runtime` finds it by `current`: the one whose task was on the CPU last, for a simulation
    has many in one process."""

    current: Worker | None = None

    def __init__(self, node_id: int, name: str, conn: LocalConnection, page: Page, process: Process | None = None):
        self.process = process or OwnProcess()
        self.clock_ns = self.process.clock_ns
        self.name = name
        self.conn = conn
        self.page = page
        self.core = WorkerCore(NodeId(node_id), Link(conn, "boss", below=False))
        self.functions = Functions(self.core.hops.blobs, self.process.wrap, conn.store)
        self.execution = Execution(self)
        self.sync_tasks = self.execution.sync_tasks
        self.waits = Waits(self)
        self.output = TaskOutput(self)
        self.on_cpu: Running | None = None
        self.cache: dict[Any, Any] = {}
        self.thread = threading.get_ident()
        self.clock_offset = 0.0
        self._mail_read = 0
        self.results = self.done = self._steps = 0
        self._sleeps = self._woken = False
        self._token: trio.lowlevel.TrioToken | None = None

    async def run(self) -> None:
        """Serve the boss until it says shutdown or is gone."""
        self.sync_tasks.open()
        self._token = trio.lowlevel.current_trio_token()
        self.clock_offset = trio.current_time() - self.process.clock_s()
        try:
            with self.process.attach(self):
                async with trio.open_nursery() as nursery:
                    self.execution.async_tasks.nursery = nursery
                    nursery.start_soon(self.conn.run_writer)
                    self.conn.send_nowait(Started(1, self.name, self.process.pid))
                    try:
                        await self._loop()
                    except (trio.EndOfChannel, trio.BrokenResourceError, ProtocolError):
                        pass  # the boss is gone for us, and with it everybody who could want a result
                    except Exception:  # a bug of ours: tasks may wait, shielded, for what this loop can never give
                        self.process.exit(EXIT_BUG, f"{self.name} ends: {traceback.format_exc()}")
                    finally:
                        nursery.cancel_scope.cancel()  # first: who waits for a child has to see its own end
                        self.release_waits()
        except Exception:  # the same, met in the midst of a task's end
            self.process.exit(EXIT_BUG, f"{self.name} ends: {traceback.format_exc()}")
        finally:
            self.conn.close()
            if Worker.current is self:
                Worker.current = None

    def release_waits(self) -> None:
        """The loop has ended: tasks that wait, shielded, for the ends of their children need wait no longer."""
        core = self.core
        children = [*core.children.values(), *(event.child for event in core.events if isinstance(event, Settled))]
        for child in children:
            child.future._abandon()

    def clock(self) -> float:
        """The time on trio's clock, also where that cannot be asked."""
        return self.process.clock_s() + self.clock_offset

    # -- the loop ------------------------------------------------------------------------------------------------

    async def _loop(self) -> None:
        core = self.core
        while True:
            self._woken = False
            self._read(self.conn.receive_nowait())
            if core.shutting_down:
                return
            self._step()
            self.flush()
            if self.core.events or self.execution.has_ready:
                await trio.lowlevel.checkpoint()
            elif not self._woken:
                await self._sleep_until_mail()

    async def _sleep_until_mail(self) -> None:
        """It is left where it is: a task may have the CPU before this loop does, and is to see it."""
        deadline = self.core.next_deadline()
        self._sleeps = True
        with nullcontext() if deadline is None else trio.CancelScope(deadline=deadline):
            await self.conn.wait_mail()
        self._sleeps, self.execution.has_rested = False, True

    def wake(self) -> None:
        """Something here has changed the books: the loop is to look again. From sync tasks, to which trio is hidden,
        it cannot be woken; who runs them does that afterwards."""
        self._woken = True
        if self._sleeps and not self.sync_tasks.is_running:
            self.conn.stop_waiting()

    def go_on(self) -> None:
        """A task waits: start the next one, or tell the boss what has come of it. Called in a trio task of ours."""
        call = self.execution.next_async()
        if call is not None:
            self.execution.async_tasks.start(call)
        else:
            self.go_on_elsewhere()

    def go_on_elsewhere(self) -> None:
        """No async task is to be started here: run the sync ones that are ready, which costs less here than in the
        loop; what is left is for the loop."""
        execution = self.execution
        while self.sync_tasks.is_in_hub and not execution.is_slice_over and execution.step():
            self.act()
        if self.core.events or execution.has_ready or self._woken:
            self.wake()
        else:
            self.flush()

    def _read(self, mail: list[Any]) -> None:
        self._take_in(mail)
        self.act()

    def _take_in(self, mail: list[Any]) -> None:
        """Let the core process mail and time; only notes what is to be done."""
        core = self.core
        core.now = self.clock()
        for message, parts in mail:
            core.handle_message(message, parts)
            if type(message) is Forget:
                for job in message.jobs:
                    self.functions.forget(job)
        if mail:
            self._mail_read += len(mail)
            self.page.words[MAIL_READ] = self._mail_read
        core.expire()

    def act(self) -> None:
        """Carry out what the core has decided."""
        core = self.core
        while core.events:
            events, core.events = core.events, []
            for event in events:
                match event:
                    case Settled(child, result):
                        child.future._settle(child, result)
                    case Stop(running):
                        self.execution.stop(running)
                    case Heard():
                        pass

    def _step(self) -> None:
        """Run what is ready, for about a millisecond."""
        execution = self.execution
        execution.begin_slice()
        self.core.now = self.clock()
        while execution.step():
            if self.core.events:
                self.act()
            if execution.is_slice_over:
                break

    def flush(self, keep: int | None = None) -> None:
        """Send what is to be sent; ``keep`` is how many tasks are not offered to the boss."""
        core = self.core
        core.offer((0 if core.occupied else 1) if keep is None else keep)
        idle = not (core.occupied or core.events or core.backlog or self.execution.has_ready)
        self.output.flush()
        for conn, message, parts in core.flush(idle):
            conn.send_nowait(message, parts)  # type: ignore[attr-defined]
        self.results = 0
        self.page.words[UNSENT] = 0
        self.page.words[QUEUED] = core.backlog.num_waiting
        self.conn.flush_nowait()

    # -- for the task's own calls --------------------------------------------------------------------------------

    def current_task(self) -> Running:
        """The task on the CPU; raises `UsageError` when the caller is none."""
        if self.on_cpu is None or threading.get_ident() != self.thread:
            raise UsageError("this works inside a task only, on the task's own thread")
        return self.on_cpu

    def in_async_task(self) -> bool:
        """True if the task on the CPU is an async one."""
        return self.on_cpu is not None and isinstance(self.on_cpu.handle, AsyncTask)

    def notice(self) -> None:
        """The task on the CPU has changed the books: tell the boss what concerns it, and have the loop look."""
        self.flush(keep=1)
        if self.core.next_deadline() is not None:
            self.waits.publish()
            self.wake()
        elif self.core.events and self.in_async_task():
            self.wake()

    def read_mail(self) -> None:
        """Let the task on the CPU see mail that has come meanwhile."""
        with suppress(trio.EndOfChannel, trio.BrokenResourceError, ProtocolError):  # the loop will meet the same end
            self._take_in(self.conn.receive_nowait())
        if self.core.events and self.in_async_task():
            self.wake()

    def suspend_sync(self, running: Running) -> None:
        """The sync task on the CPU waits; comes back when something has happened. Raises `UsageError` if it cannot."""
        self.sync_tasks.check_can_wait()
        self.leave()
        self.waits.begin(running)
        try:
            self.sync_tasks.wait(running)
        finally:
            self.enter(running)

    # -- the CPU -------------------------------------------------------------------------------------------------

    def enter(self, running: Running) -> None:
        if Worker.current is not self:  # to set it each time would cost every call of the class its caches
            Worker.current = self
        self.on_cpu = running
        words = self.page.words
        words[ON_CPU] = running.attempt.address
        words[ROOT] = running.root
        words[STEPS] = self._steps = self._steps + 1

    def leave(self) -> None:
        self.on_cpu = None
        self.page.words[ON_CPU] = 0
        self.page.words[OVER] = 0

    def answer_poke(self, running: Running) -> bool:
        """The boss wants to be heard while this task's code is on the CPU; true if the task is to be interrupted."""
        self._do_business()
        is_over = self._is_over(running)
        if is_over:
            self.page.words[OVER] = running.attempt.address  # until it has left the CPU, the boss goes on poking
        return is_over

    def _do_business(self) -> None:
        """Read mail, note cancels, hand over unstarted tasks and results. Runs in the middle of the user's code, so it
        resumes nothing: what the core wants done stays in its events until the loop goes on. What follows from it
        without any of the user's code is done now: a failed item cancels its siblings, one of which may be the very
        task on the CPU; so does a deadline."""
        try:
            mail = self.conn.receive_nowait()
        except (trio.EndOfChannel, trio.BrokenResourceError, ProtocolError):
            return  # the loop will meet the same end
        self._take_in(mail)
        for event in list(self.core.events):
            if isinstance(event, Settled):
                event.child.future._note_failure(event.result)
        for future, deadline in self.waits.deadlines.items():
            if deadline <= self.core.now:
                future._cancel_open()
        self.flush(keep=0)
        if self.core.events and self._token is not None:
            self._token.run_sync_soon(self._after_poke, idempotent=True)

    def _after_poke(self) -> None:
        self.act()
        self.wake()

    def _is_over(self, running: Running) -> bool:
        deadline = running.attempt.deadline
        return running.cancelled or (deadline is not None and deadline <= self.core.now)
