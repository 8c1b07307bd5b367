"""A simulated worker process: the product's own worker, on virtual time, in this process among many others.

It is both sides of the matter: what the worker stands on (`triort._node.process.Process`) and what the boss holds of it
(`triort._node.machine.SpawnedProcess`). Sync tasks hold the CPU for virtual time by `hold`: the worker's loop stands
still meanwhile, a poke lets it look at its mail, a cancel interrupts. Async tasks of the same worker are not stopped by
that; in reality they would be.

A killed process is gone at once for everybody else: nothing that its remains do arrives anywhere. Its tasks see
`Killed` (sync) or `trio.Cancelled` (async), for there is no other way to end them here.
"""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import greenlet
import trio

from triort._core.attempts import Result
from triort._core.worker_core import Child, Running, Settled, WorkerCore
from triort._model.errors import TaskInterrupted
from triort._model.messages import Cancel, Message
from triort._node.page import ON_CPU, ROOT
from triort._node.spawned import WorkerExit
from triort._node.sync_tasks import SyncWait
from triort._node.worker import EXIT_BUG, Worker
from triort._transport.memory import MemoryConnection
from triort.testing._events import Kind, Violation
from triort.testing._tier2.page import Silent, SimPage
from triort.testing._tier2.portal import Portal
from triort.testing._trio.shields import take_shields_off

if TYPE_CHECKING:
    from triort.testing._tier2.cluster import Cluster
    from triort.testing._tier2.wire import Wire

Call = Callable[..., Any]


class Killed(BaseException):
    """The simulated process of this task has been killed."""


def _refuse(*args: object) -> NoReturn:
    raise Killed


class SimProcess(Silent):
    """One worker; `run` is a task of the cluster."""

    __slots__ = ("_ended", "_held", "_poked", "_portal", "_tell_exit", "_wire", "children", "cluster", "is_dead",
                 "name", "node_id", "page", "pid", "replaced_here", "slowness", "started", "worker")  # fmt: skip

    def __init__(self, cluster: Cluster, node_id: int, name: str, wire: Wire, tell_exit: Callable[..., None]) -> None:
        self.replaced_here = True
        self.cluster = cluster
        self.node_id = node_id
        self.name = name
        self.pid = cluster.next_pid()
        self.page = SimPage()
        self.worker: Worker | None = None
        self.is_dead = False
        self.slowness = 1.0
        self.started: dict[int, str] = {}
        """Scripted tasks whose function is being called, by address."""
        self.children: dict[Child, str] = {}
        """What the tasks here have submitted, by the names that the plan has for it."""
        self._wire = wire
        self._tell_exit = tell_exit
        self._portal = Portal()
        self._held: Running | None = None
        self._poked: trio.Event | None = None
        self._ended: trio.Event | None = None

    async def run(self) -> None:
        """The whole life of the process."""
        self.cluster.processes[self.name] = self
        self.cluster.tell(Kind.BORN, self.name, peer=self._wire.boss)
        try:
            if not self.is_dead:
                worker = self.worker = Worker(self.node_id, self.name, self._wire.employee_end, self.page, self)
                worker.core.handle_message = self._on_message  # type: ignore[method-assign]
                worker.core._settled = self._on_settled  # type: ignore[method-assign]
                await self._portal.run(worker.run)
        finally:
            self._finish_sync_tasks()
            self._gone(None, 0)

    # -- as the boss holds it ------------------------------------------------------------------------------------

    def open_link(self, store: object = None) -> MemoryConnection:
        """The boss's end of the link."""
        return self._wire.boss_end

    def poke(self) -> None:
        """The worker looks at its mail if a sync task holds its CPU; else it does that anyway."""
        if self._poked is not None:
            self._poked.set()

    def kill(self) -> None:
        """End it at once."""
        self._gone(int(signal.SIGKILL), None)

    async def wait_ended(self) -> None:
        """Wait until it has ended."""
        if not self.is_dead:
            self._ended = trio.Event()
            await self._ended.wait()

    def close(self) -> None:
        """There is nothing to free."""

    # -- as the worker sees it -----------------------------------------------------------------------------------

    def clock_ns(self) -> int:
        """Virtual time."""
        return int(self.cluster.now * 1e9)

    def clock_s(self) -> float:
        """The same in seconds, to the last bit."""
        return self.cluster.now

    @contextmanager
    def attach(self, worker: Worker) -> Iterator[None]:
        """The cluster has one instrument for all."""
        yield

    def wrap(self, call: Call, *, is_async: bool) -> Call:
        """The function, which takes virtual time if it is sync, and does not start once the process is dead."""

        @functools.wraps(call)
        def run_sync(*args: Any, **kwargs: Any) -> Any:
            self.check_alive()
            with self._told():
                self.hold(self.cluster.durations(call, self))
                return call(*args, **kwargs)

        @functools.wraps(call)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            self.check_alive()
            with self._told():
                return await call(*args, **kwargs)

        return run_async if is_async else run_sync

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell when a user's function starts and ends; scripts of plans tell that themselves."""
        assert self.worker is not None
        if not self.cluster.tells_calls:
            yield
            return
        attempt = self.worker.current_task().attempt
        address, name = attempt.address, attempt.spec.options.name or attempt.spec.function_name
        self.started[address] = name
        self.cluster.tell(Kind.START, self.name, name, number=address)
        how = "error"
        try:
            yield
            how = "value"
        except (trio.Cancelled, TaskInterrupted):
            how = "cancelled"
            raise
        finally:
            if self.started.pop(address, None) is not None:
                self.cluster.tell(Kind.END, self.name, name, number=address, detail=how)

    def exit(self, code: int, reason: str) -> None:
        """The worker gives up: on a task that does not end, or because of a bug of its own."""
        if code == EXIT_BUG and not self.is_dead:
            self.cluster.violate(Violation(f"crash of {self.name}", reason, self.cluster.now))
        self._gone(None, code)

    # -- for tasks -----------------------------------------------------------------------------------------------

    def check_alive(self) -> None:
        """Raise `Killed` in what is left of a dead process."""
        if self.is_dead:
            raise Killed

    def crash(self) -> NoReturn:
        """The task on the CPU kills its own process."""
        assert self.worker is not None
        if self.worker.in_async_task():
            self.kill()
        else:
            self._portal.wait(self._kill_in_trio)
        raise Killed

    async def _kill_in_trio(self) -> None:
        self.kill()

    def hold(self, seconds: float) -> None:
        """The sync task on the CPU computes for so long; raises `TaskInterrupted` when it is cancelled meanwhile."""
        if seconds > 0:
            self.hold_until(self.cluster.now + seconds * self.slowness)

    def hold_until(self, until_s: float) -> None:
        """As `hold`, until that time."""
        if self.cluster.now < until_s:
            try:
                self._portal.wait(self._hold, until_s)
            finally:
                Worker.current = self.worker  # others have been on their CPUs meanwhile

    def leave_cpu(self) -> None:
        """A step of an async task has ended; a sync task that holds the CPU still does."""
        assert self.worker is not None
        if self._held is not None:
            self.worker.enter(self._held)
        else:
            self.worker.leave()

    async def _hold(self, until: float) -> None:
        worker = self.worker
        assert worker is not None
        running = self._held = worker.current_task()
        try:
            while self.cluster.now < until:
                self._poked = trio.Event()
                with trio.CancelScope(deadline=until):
                    await self._poked.wait()
                    self._poked = None
                    if worker.answer_poke(running):
                        raise TaskInterrupted
        except trio.Cancelled:  # trio raises it again at the loop's next checkpoint
            raise Killed from None
        finally:
            self._held = self._poked = None

    # -- the end -------------------------------------------------------------------------------------------------

    def _gone(self, number: int | None, code: int | None) -> None:
        if self.is_dead:
            return
        self.is_dead = True
        frozen = SimPage()
        frozen.words = list(self.page.words)  # what its boss will read
        self.page = frozen
        self.cluster.forget_process(self)
        for address, name in self.started.items():
            self.cluster.tell(Kind.END, self.name, name, number=address, detail="killed")
        self.started.clear()
        how = f"signal {number}" if number is not None else f"exit code {code}"
        words = self.page.words
        blamed = words[ROOT] if words[ON_CPU] else 0
        self.cluster.tell(Kind.DIED, self.name, number=blamed, detail=how)
        self._wire.die(self.name)
        self._release_waits()
        nursery = None if self.worker is None else self.worker.execution.async_tasks.nursery
        if nursery is not None:
            nursery.cancel_scope.cancel()
            take_shields_off(nursery.parent_task)
        if self._ended is not None:
            self._ended.set()
        self._tell_exit(WorkerExit(self.node_id, self.pid, code, number, 0))

    def _release_waits(self) -> None:
        """Tasks wait, shielded, for the ends of their children: these will never come. And there will be no more."""
        if self.worker is not None:
            self.worker.core.submit = _refuse  # type: ignore[method-assign, assignment]
            self.worker.release_waits()

    def _finish_sync_tasks(self) -> None:
        """Sync tasks that wait for children are left to nobody else."""
        if self.worker is not None:
            while self.worker.core.backlog.pop_deepest() is not None:
                continue  # else a batch would go on with these
            for running in list(self.worker.core.running.values()):
                handle = running.handle
                if isinstance(handle, SyncWait):
                    own = handle.greenlet
                    own.parent = greenlet.getcurrent()
                    own.throw(Killed)

    # -- what the books of the worker learn ----------------------------------------------------------------------

    def _on_message(self, message: Message, parts: Sequence[bytes]) -> None:
        assert self.worker is not None
        if isinstance(message, Cancel) and not self.is_dead:
            for address in message.addresses:
                self.cluster.tell(Kind.CANCELLED, self.name, number=address)
        WorkerCore.handle_message(self.worker.core, message, parts)

    def _on_settled(self, child: Child, result: Result) -> None:
        assert self.worker is not None
        core = self.worker.core
        WorkerCore._settled(core, child, result)
        name = self.children.pop(child, None)
        if name is not None and not self.is_dead:
            told = next(event.result for event in core.events if isinstance(event, Settled) and event.child is child)
            self.cluster.tell_settled(self.name, name, told.kind, told.payload, child.attempt.address)
