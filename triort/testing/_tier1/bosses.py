"""Servers and managers of tier 1: the real core, and what `triort._node` does around it.

Watch the workers' pages, blame and replace those that die, end when the boss is gone and come again as another one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import msgspec

from triort._core.links import Link, Loss
from triort._core.node_core import Direction, NodeCore
from triort._core.placement import Employee
from triort._core.restarts import Restarts
from triort._core.watch import Action, Watch
from triort._model.errors import ProtocolError
from triort._model.ids import Address
from triort._model.limits import POKE_S, RESTART_DELAY_S, SHUTDOWN_WORKERS_S
from triort._model.marks import buggify, sometimes
from triort._model.messages import Started
from triort._model.outcomes import Crash
from triort.testing._events import Kind, Violation
from triort.testing._tier1.alarms import Alarm
from triort.testing._tier1.nodes import Node
from triort.testing._tier1.rejoins import rejoin_later
from triort.testing._tier1.wires import Frame, Pipe

if TYPE_CHECKING:
    from triort.testing._tier1.cluster import Cluster
    from triort.testing._tier1.workers import Worker

SPAWN_S = 2e-3
_encode = msgspec.msgpack.Encoder().encode


@attrs.define(eq=False)
class PoolWorker:
    """A worker as its boss holds it."""

    worker: Worker
    pipe: Pipe
    watch: Watch
    employee: Employee


class Boss(Node):
    """A server or a manager. ``has_managers``: it has connected to managers, and has no workers of its own."""

    def __init__(self, cluster: Cluster, name: str, core: NodeCore, level: int, has_managers: bool) -> None:
        super().__init__(cluster, name)
        self.core = core
        core.name = name
        core.running = True
        self.level = level
        self.has_managers = has_managers
        self.above: Pipe | None = None
        self.pipes: list[Pipe] = []
        """Its ends of all links: those above, those below, those to clients."""
        self.pool: dict[Pipe, PoolWorker] = {}
        self.staff: list[Boss | Worker] = []
        """All that was ever started below."""
        self.worker_serial = self.extra_serial = 0
        self.manager_serial = 0
        self.late_managers = 0
        self.num_spawned = 0
        self._unstarted: dict[Pipe, Boss | Worker] = {}
        self._early_exits: dict[Pipe, Loss | None] = {}
        self._restarts = Restarts()
        self._is_looking = False
        self._alarm = Alarm(self.clock, self.perform)

    # -- mail ----------------------------------------------------------------------------------------------------

    def on_mail(self, pipe: Pipe, frame: Frame) -> None:
        """Let the core handle a frame, as the scheduler task does."""
        core = self.core
        core.now = self.clock.now
        if pipe is self.above:
            direction = Direction.ABOVE
        else:
            direction = Direction.CLIENT if pipe.wire.is_client else Direction.BELOW
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
        self.cluster.wires.end(pipe, str(exc))
        self.cluster.wires.close(pipe, tell=False)

    def perform(self) -> None:
        """Send what the core has left, and see to what follows."""
        core = self.core
        core.now = self.clock.now
        self.cluster.wires.send(core.flush())
        for number in range(core.suspects.take_wanted()):
            self.cluster.heap.at(self._spawn_s("extra", number), self.cluster.add_worker, self, True)
        if self.pool and not self._is_looking:
            self._is_looking = True
            self.cluster.heap.look_after(POKE_S / self.clock.rate, self._look)
        if not core.running:
            self.end("shutdown")
            return
        deadline = core.next_deadline()
        self._alarm.set(None if deadline == math.inf else deadline)

    def tick(self) -> None:
        """The clock has been changed."""
        self._alarm.set_again()

    # -- the tree ------------------------------------------------------------------------------------------------

    def expect(self, pipe: Pipe, node: Boss | Worker) -> None:
        """A node below has been started; it is in the books when it says so."""
        self.pipes.append(pipe)
        self.staff.append(node)
        self._unstarted[pipe] = node

    def next_manager(self) -> str:
        """The name of the next manager below, by position."""
        self.manager_serial += 1
        return f"m{self.manager_serial - 1}"

    def _started(self, pipe: Pipe, message: Started) -> None:
        node = self._unstarted.pop(pipe, None)
        if node is None:
            return
        self.hire(pipe, node, message.num_workers)
        if pipe in self._early_exits:
            sometimes("a worker ends before its start is in the books")
            self._exited(pipe, self._early_exits.pop(pipe))

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
        self._unstarted.pop(pipe, None)
        self.core.add_employee(employee)

    @property
    def ids(self) -> tuple[int, int]:
        """Its range of ids."""
        return self.core.lower_id_bound, self.core.upper_id_bound

    # -- ends of others ------------------------------------------------------------------------------------------

    def link_ended(self, pipe: Pipe, how: str) -> None:
        """A link has ended."""
        if pipe in self.pool:
            self.pool[pipe].worker.die("killed: its link has ended")  # its exit, which says more, is on its way
            return
        node = self._unstarted.pop(pipe, None)
        self.pipes.remove(pipe)
        if node is not None and not isinstance(node, Boss):
            node.die("killed: its link has ended")
            sometimes("a replacement does not start")
            self.tell(Kind.LOG, detail=f"worker {node.name} did not start")
            self._early_exits.pop(pipe, None)
            if node.is_extra:
                self.cluster.heap.at(RESTART_DELAY_S, self._extra_not_started)
            else:
                self._replace()
        self._disconnect(pipe, None)
        self.perform()

    def _disconnect(self, pipe: Pipe, blame: Loss | None) -> None:
        core = self.core
        core.now = self.clock.now
        had_managers = bool(core.managers)
        core.handle_disconnect(pipe, blame)
        if pipe is self.above and core.running:
            core.handle_shutdown()
            rejoin_later(self.cluster, self, pipe.far)
        if core.running and had_managers and not core.employees:
            self.tell(Kind.LOG, detail=f"{self.name} has lost all of its managers; what waits here waits for one")

    def worker_exited(self, pipe: Pipe, worker: Worker, root: Address, how: str) -> None:
        """The process of a worker has ended, with a task on its CPU if ``root`` is not 0."""
        if not self.dead and pipe in self.pipes:
            blame = Loss(root, True, _encode(Crash(worker.name, stderr_tail=how))) if root else None
            self._exited(pipe, blame)
            self.perform()

    def _exited(self, pipe: Pipe, blame: Loss | None) -> None:
        if pipe in self._unstarted:  # it ended just after it had started, and its start is still on its way
            self._early_exits[pipe] = blame
            return
        if not pipe.ended:
            pipe.ended = True
            self.tell(Kind.CLOSE, peer=pipe.far.owner.name, detail="its process has ended")
        is_extra = self.pool.pop(pipe).worker.is_extra
        self.pipes.remove(pipe)
        self._disconnect(pipe, blame)
        if self.core.running and not is_extra:
            self._replace()

    def _replace(self) -> None:
        self.core.restarts += 1
        delay_s = self._restarts.note(self.clock.now)
        news = self._restarts.news(self.clock.now)
        if news:
            self.tell(Kind.LOG, detail=news)
            self.core.handle_system_error(news)
        if buggify("slow replacements"):
            delay_s = RESTART_DELAY_S
        self.cluster.heap.at(delay_s + self._spawn_s("spawn"), self.cluster.add_worker, self)

    def _spawn_s(self, *what: str | int) -> float:
        self.num_spawned += 1
        return self.cluster.draws.uniform(SPAWN_S / 4, SPAWN_S, *what, self.name, self.num_spawned)

    def _extra_not_started(self) -> None:
        if not self.dead:
            self.core.suspects.not_started()
            self.perform()

    # -- the watch over workers ----------------------------------------------------------------------------------

    def _look(self) -> None:
        self._is_looking = False
        if self.dead:
            return
        core, is_busy = self.core, False
        core.now = now = self.clock.now
        for pipe, each in list(self.pool.items()):
            glance = each.worker.glance()
            employee, watch = each.employee, each.watch
            watch.mail_sent = pipe.messages
            is_busy = is_busy or bool(employee.link.sent) or glance.mail_read < watch.mail_sent
            running = employee.link.sent.get(Address(glance.root)) if glance.on_cpu else None
            employee.done = each.worker.num_done
            employee.running = "" if running is None else running.spec.function_name
            elsewhere = core.num_idle_workers - employee.num_idle_workers + core.want_credit
            for action in watch.decide(now, each.worker.clock.now, glance, elsewhere):
                match action:
                    case Action.POKE:
                        each.worker.poke()
                    case Action.RECALL:
                        core.recall(employee)
                    case Action.KILL:
                        each.worker.die("killed: it ignores a cancel")
        if is_busy:
            self.perform()
        else:
            self.cluster.wires.send(core.flush())

    # -- its own end ---------------------------------------------------------------------------------------------

    def end(self, how: str) -> None:
        """End in order: all below is told, and workers get a moment; links are closed."""
        if self.dead:
            return
        self._leave(how)
        for pipe in self.pipes:
            if not pipe.ended:
                self.cluster.wires.close(pipe)
        for node in self.staff:
            if not isinstance(node, Boss) and not node.dead:
                self.cluster.heap.at(SHUTDOWN_WORKERS_S, node.die, "killed: its manager has ended")

    def crash(self, how: str) -> None:
        """The process is gone, and all below it."""
        self._leave(how)
        for node in self.staff:
            if not node.dead:
                if isinstance(node, Boss):
                    node.crash("its boss is gone")
                else:
                    node.die("its boss is gone")
        for pipe in self.pipes:
            if not pipe.ended:
                self.cluster.wires.drop(pipe)

    def _leave(self, how: str) -> None:
        self.dead = True
        self._alarm.set(None)
        self.core.running = False
        self.cluster.forget(self)
        self.tell(Kind.DIED, detail=how)
