"""Servers and managers of tier 1: the real core, and what `triort._node` does around it.

Watch the workers' pages, blame and replace those that die; end all below when the boss is gone, and wait for one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from triort._core.employee import Employee
from triort._core.links import Link, Loss
from triort._core.node_core import Direction, NodeCore
from triort._core.restarts import Restarts
from triort._core.server_core import ServerCore
from triort._core.stalls import note_stall
from triort._core.watch import Watch
from triort._model.errors import ProtocolError
from triort._model.ids import Address
from triort._model.limits import RESTART_DELAY_S, SHUTDOWN_WORKERS_S
from triort._model.marks import sometimes
from triort._model.messages import Started
from triort._model.outcomes import Crash
from triort.testing._events import Kind, Violation
from triort.testing._plan.names import boss_of
from triort.testing._tier1.alarms import Alarm
from triort.testing._tier1.hiring import clear, is_broken
from triort.testing._tier1.journals import Journal
from triort.testing._tier1.nodes import Node
from triort.testing._tier1.pipes import CLOSED, Frame, Pipe
from triort.testing._tier1.pools import PoolWorker, exited, look_soon, replace, spawn_s
from triort.testing._tier1.sessions import End

if TYPE_CHECKING:
    from triort.testing._tier1.cluster import Cluster
    from triort.testing._tier1.workers import Worker

SPAWN_S = 2e-3
_encode = msgspec.msgpack.Encoder().encode


class Boss(Node):
    """The process of a server or a manager. ``endpoints``: the managers that it dials; without any, and with
    ``num_workers``, it has workers of its own."""

    def __init__(self, cluster: Cluster, name: str, core: NodeCore, endpoints: Sequence[str], num_workers: int) -> None:
        super().__init__(cluster, name)
        self.core = core
        core.name = name
        core.running = True
        self.endpoints = list(endpoints)
        self.num_workers = num_workers
        self.above: Pipe | None = None
        self.joins = False
        """Whether it dials its boss."""
        self.is_in_office = True
        """A server, or a manager that has a boss: those below may come."""
        self.cleared_s = 0.0
        """When all of the last incarnation has ended."""
        self.shares: dict[str, tuple[int, int]] = {}
        """Ids for managers below that have not taken them yet."""
        self.journal: Journal | None = None
        self.level = 0
        self.worker_serial = self.extra_serial = 0
        self.num_spawned = 0
        self.incarnation = 0
        self.is_looking = False
        self._alarm: Alarm | None = None
        self.forget()

    def forget(self) -> None:
        """Nothing is below any more: this is another incarnation."""
        self.incarnation += 1
        self.pipes: list[Pipe] = []
        """Its ends of all links: those above, those below, those to clients."""
        self.pool: dict[Pipe, PoolWorker] = {}
        self.staff: list[Worker] = []
        """All workers that were ever started."""
        self.id_serial = 0
        self.unstarted: dict[Pipe, Boss | Worker] = {}
        self.early_exits: dict[Pipe, Loss | None] = {}
        self.restarts = Restarts()

    @property
    def has_managers(self) -> bool:
        """Whether what is below are managers."""
        return not self.num_workers

    # -- mail ----------------------------------------------------------------------------------------------------

    def on_mail(self, pipe: Pipe, frame: Frame) -> None:
        """Let the core handle a frame, as the scheduler task does."""
        core = self.core
        core.now = self.clock.now
        if pipe is self.above:
            direction = Direction.ABOVE
        else:
            direction = Direction.CLIENT if pipe.is_client else Direction.BELOW
        for message, parts in frame:
            if type(message) is Started:
                self._started(pipe, message)
            elif direction is not Direction.BELOW or pipe in core.conn_to_employee_dict:
                try:
                    core.handle_message(message, direction, pipe, parts)
                except ProtocolError as exc:
                    self._refuse(pipe, exc)
                    break
        self.perform()

    def _refuse(self, pipe: Pipe, exc: ProtocolError) -> None:
        """A peer has broken the protocol: among honest peers, a bug, unless a fault has made it so."""
        if not self.cluster.has_liars:
            raise Violation(f"crash of {self.name}", f"ProtocolError from {pipe.far.owner.name}: {exc}")
        self.cluster.wires.hang_up(pipe)
        self.cluster.wires.end(pipe, str(exc))

    def perform(self) -> None:
        """Send what the core has left, and see to what follows."""
        core = self.core
        core.now = self.clock.now
        self.cluster.wires.send(core.flush())
        for number in range(core.suspects.take_wanted()):
            self.cluster.heap.at(spawn_s(self, "extra", number), self.cluster.add_worker, self, self.incarnation, True)
        if self.journal is not None and isinstance(core, ServerCore) and core.jobs.ledger is not None:
            self.journal.put(*core.jobs.ledger.take_writes())
        if self.pool and not self.is_looking:
            look_soon(self)
        if not core.running:
            self.end("shutdown")
            return
        deadline = core.next_deadline()
        if deadline != math.inf or self._alarm is not None:
            self._alarm = self._alarm or Alarm(self.clock, self.perform)
            self._alarm.set(None if deadline == math.inf else deadline)

    def tick(self) -> None:
        """The clock has been changed."""
        if self._alarm is not None:
            self._alarm.set_again()
        for pipe in list(self.pipes):
            if isinstance(pipe.session, End):
                pipe.session.tick()

    # -- the tree ------------------------------------------------------------------------------------------------

    def expect(self, pipe: Pipe, node: Boss | Worker) -> None:
        """A node below has been started; it is in the books when it says so."""
        self.pipes.append(pipe)
        if not isinstance(node, Boss):
            self.staff.append(node)
        self.unstarted[pipe] = node

    def dial_all(self) -> None:
        """All managers below are to come."""
        ranges = self.core.ids.shares(len(self.endpoints))
        self.shares = dict(zip(self.endpoints, ranges, strict=True))
        for name in self.endpoints:
            self.cluster.hiring.wish(self.name, name, after_s=0.0)

    def take_ids(self, name: str) -> tuple[int, int] | None:
        """Ids for a manager that comes; None if none are left."""
        return self.shares.pop(name, None) or self.core.ids.take()

    def is_free(self, boss: Boss) -> bool:
        """Whether it would take this boss: it has none, or has not heard of him for some time."""
        return self.above is None or self.above.ended or is_broken(self.above)

    def _started(self, pipe: Pipe, message: Started) -> None:
        node = self.unstarted.pop(pipe, None)
        if node is None:
            return
        self.hire(pipe, node, message.num_workers)
        if pipe in self.early_exits:
            sometimes("a worker ends before its start is in the books")
            exited(self, pipe, self.early_exits.pop(pipe))

    def hire(self, pipe: Pipe, node: Boss | Worker, num_workers: int) -> None:
        """Enter a node below into the books."""
        lower, upper = node.ids
        link = Link(pipe, node.name)
        kind = "manager" if isinstance(node, Boss) else "worker"
        employee = Employee(link, node.name, kind, lower, upper, 0, num_workers)
        if not isinstance(node, Boss) and node.is_extra:
            employee.is_extra, employee.num_workers = True, 0
        if not isinstance(node, Boss):
            self.pool[pipe] = PoolWorker(node, pipe, Watch(link), employee)
        self.unstarted.pop(pipe, None)
        self.core.add_employee(employee)

    @property
    def ids(self) -> tuple[int, int]:
        """Its range of ids."""
        return self.core.lower_id_bound, self.core.upper_id_bound

    # -- ends of others ------------------------------------------------------------------------------------------

    def link_ended(self, pipe: Pipe, how: str) -> None:
        """A link has ended for good."""
        if pipe is self.above:
            self.lose_boss(how)
            return
        if pipe in self.pool:
            self.pool[pipe].worker.die("killed: its link has ended")  # its exit, which says more, is on its way
            return
        node = self.unstarted.pop(pipe, None)
        self.pipes.remove(pipe)
        if node is not None and not isinstance(node, Boss):
            node.die("killed: its link has ended")
            sometimes("a replacement does not start")
            self.tell(Kind.LOG, detail=f"worker {node.name} did not start")
            self.early_exits.pop(pipe, None)
            if node.is_extra:
                self.cluster.heap.at(RESTART_DELAY_S, self._extra_not_started, self.incarnation)
            else:
                replace(self)
        self.disconnect(pipe, None, "" if how == CLOSED else how)
        if pipe.far.owner.name in self.endpoints and self.core.running:
            self.cluster.hiring.wish(self.name, pipe.far.owner.name)
        self.perform()

    def link_stalled(self, pipe: Pipe, *, is_stalled: bool) -> None:
        """A manager below that cannot be reached for a while gets nothing new."""
        if pipe is not self.above and not pipe.is_client and not self.dead:
            self.core.now = self.clock.now
            note_stall(self.core, pipe, is_stalled)
            self.perform()

    def _extra_not_started(self, incarnation: int) -> None:
        if not self.dead and self.incarnation == incarnation:
            self.core.suspects.not_started()
            self.perform()

    def lose_boss(self, how: str) -> None:
        """The boss is gone for good: all below ends, and this manager waits for a boss again."""
        if self.above is None:
            return
        self.is_in_office = False
        self._drop_alarm()
        clear(self)
        self.above = None
        if self.joins:
            self.cluster.hiring.wish(boss_of(self.name), self.name, joins=True)

    def _drop_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.set(None)

    def disconnect(self, pipe: Pipe, blame: Loss | None, reason: str = "") -> None:
        """Take a link out of the books."""
        self.core.now = self.clock.now
        self.core.handle_disconnect(pipe, blame, reason)

    def worker_exited(self, pipe: Pipe, worker: Worker, root: Address, how: str) -> None:
        """The process of a worker has ended, with a task on its CPU if ``root`` is not 0."""
        if not self.dead and pipe in self.pipes:  # else it is of another incarnation
            blame = Loss(root, True, _encode(Crash(worker.name, stderr_tail=how))) if root else None
            exited(self, pipe, blame)
            self.perform()

    # -- its own end ---------------------------------------------------------------------------------------------

    def end(self, how: str) -> None:
        """End in order: all below is told, and workers get a moment; links are closed."""
        if self.dead:
            return
        self._leave(how)
        for pipe in self.pipes:
            if not pipe.ended:
                self.cluster.wires.close(pipe)
        for worker in self.staff:
            if not worker.dead:
                self.cluster.heap.at(SHUTDOWN_WORKERS_S, worker.die, "killed: its manager has ended")

    def crash(self, how: str) -> None:
        """The process is gone, and its workers with it."""
        self._leave(how)
        for worker in self.staff:
            worker.die("its boss is gone")
        for pipe in self.pipes:
            if not pipe.ended:
                self.cluster.wires.drop(pipe)

    def _leave(self, how: str) -> None:
        self.dead = True
        self._drop_alarm()
        self.core.running = self.is_in_office = False
        self.cluster.forget(self)
        self.tell(Kind.DIED, detail=how)
