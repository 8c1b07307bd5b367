"""The faults of a plan, as they happen to the cores on the heap: one function for each kind, found by a table.

Where the cores have no answer to a fault, it happens all the same, and the run finds out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs

from triort.testing._events import Kind
from triort.testing._plan.plan import Compute, Fault, FaultKind, Job, Task
from triort.testing._tier1.bosses import Boss
from triort.testing._tier1.clients import STATUS_CHANCE, Client
from triort.testing._tier1.cluster import Cluster
from triort.testing._tier1.nodes import Node
from triort.testing._tier1.pipes import Pipe
from triort.testing._tier1.sessions import End
from triort.testing._tier1.workers import Worker

VISIT = Task("", [Compute(1e-4)])
"""What a second client of the same name has to do."""


@attrs.define(eq=False)
class Faults:
    """Injects the faults of one run; ``missed`` counts those whose target was not there."""

    cluster: Cluster
    missed: int = 0
    _serial: int = 0

    def schedule(self) -> None:
        """Put all faults of the plan on the heap, and the end of those that last."""
        for fault in self.cluster.plan.faults:
            self.cluster.heap.at_time(fault.at_s, self.happen, fault)

    def happen(self, fault: Fault) -> None:
        """One fault, now."""
        for client in self.cluster.clients.values():
            if self.cluster.draws.chance(STATUS_CHANCE, "status", client.name, fault.kind, fault.target):
                client.ask_status()
        hit = TABLE[fault.kind](self, fault)
        self.missed += not hit
        detail = "missed"
        if hit:
            more = [f"for {fault.for_s} s" if fault.for_s else "", f"by {fault.factor}" if fault.factor != 1 else "",
                    f"towards {fault.side}" if fault.side else ""]  # fmt: skip
            detail = ", ".join(each for each in more if each)
        self.cluster.tell(Kind.FAULT, fault.target, fault.kind.value, detail=detail)

    def heal(self) -> None:
        """What lasts without end is over."""
        cluster = self.cluster
        for node in [*cluster.bosses.values(), *cluster.hands.values(), *cluster.clients.values()]:
            node.recover()
        for path in cluster.wires.paths.values():
            path.parted_until = 0.0
            for way in (path.up, path.down):
                if way.held is not None:
                    cluster.wires.release(way)

    def _node(self, name: str) -> Node | None:
        cluster = self.cluster
        found = cluster.bosses.get(name) or cluster.hands.get(name) or cluster.clients.get(name)
        return None if found is None or found.dead else found

    def _link(self, name: str) -> Pipe | None:
        """The lower end of an open link."""
        node = self._node(name)
        pipe = node.above if isinstance(node, Boss) else node.pipe if isinstance(node, Worker | Client) else None
        return None if pipe is None or pipe.ended or pipe.raw is None or pipe.raw.is_lost else pipe

    def _part(self, fault: Fault) -> None:
        """Nobody gets through there for so long."""
        if fault.for_s:
            path = self.cluster.path_of(fault.target)
            path.parted_until = max(path.parted_until, self.cluster.now + fault.for_s)

    # -- processes -----------------------------------------------------------------------------------------------

    def crash_worker(self, fault: Fault) -> bool:
        worker = self.cluster.hands.get(fault.target)
        if worker is None:
            return False
        worker.die("killed")
        return True

    def crash_manager(self, fault: Fault) -> bool:
        manager = self.cluster.bosses.get(fault.target)
        if manager is None:
            return False
        manager.crash("killed")
        if fault.for_s:
            tree = [len(manager.endpoints), 1] if manager.endpoints else [manager.num_workers]
            again = partial(self.cluster.start_again, manager.name, manager.level, tree, joins=manager.joins)
            self.cluster.heap.at(fault.for_s, again)
        return True

    def crash_server(self, fault: Fault) -> bool:
        server = self.cluster.bosses.get("s")
        if server is None:
            return False
        server.crash("killed")
        if fault.for_s:
            self.cluster.heap.at(fault.for_s, self._restart_server)
        return True

    def _restart_server(self) -> None:
        """Whoever runs the cluster starts it anew; clients connect again."""
        if "s" not in self.cluster.bosses:
            self.cluster.start_server(is_again=True)
            for client in self.cluster.clients.values():
                if not (self.cluster.plan.journal or client.dead) and client.pipe is not None and client.pipe.ended:
                    self.cluster.connect_client(client)

    def join_worker(self, fault: Fault) -> bool:
        boss = self.cluster.bosses.get(fault.target)
        if boss is None or boss.has_managers:
            return False
        self.cluster.add_worker(boss)
        return True

    def join_manager(self, fault: Fault) -> bool:
        boss = self.cluster.bosses.get(fault.target)
        if boss is None or not boss.has_managers:
            return False
        self.cluster.join_manager(boss, max(int(fault.factor), 1))
        return True

    # -- links ---------------------------------------------------------------------------------------------------

    def close(self, fault: Fault) -> bool:
        pipe = self._link(fault.target)
        if pipe is None:
            return False
        wires, raw = self.cluster.wires, pipe.raw
        assert raw is not None
        wires.break_off(pipe, raw, "closed here")
        return True

    def cut(self, fault: Fault) -> bool:
        pipe = self._link(fault.target)
        if pipe is None:
            return False
        self.cluster.wires.cut(pipe)
        self._part(fault)
        return True

    def half_open(self, fault: Fault) -> bool:
        pipe = self._link(fault.target)
        if pipe is None:
            return False
        is_boss = fault.side == "boss"
        self.cluster.wires.cut(pipe, pipe_learns=not is_boss, far_learns=is_boss)
        self._part(fault)
        return True

    def vanish(self, fault: Fault) -> bool:
        pipe = self._link(fault.target)
        if pipe is None:
            return False
        self.cluster.wires.cut(pipe, pipe_learns=False, far_learns=False)
        self._part(fault)
        return True

    def hold_back(self, fault: Fault) -> bool:
        pipe = self._link(fault.target)
        if pipe is None:
            return False
        path = pipe.path
        for way in {"boss": [path.up], "employee": [path.down]}.get(fault.side, [path.up, path.down]):
            self.cluster.wires.hold(way, fault.for_s)
        return True

    def corrupt_frame(self, fault: Fault) -> bool:
        pipe = self._link(fault.target)
        if pipe is None:
            return False
        (pipe.path.up if fault.side == "boss" else pipe.path.down).corrupt = True
        return True

    # -- clocks and speed ----------------------------------------------------------------------------------------

    def slow_node(self, fault: Fault) -> bool:
        node = self._node(fault.target)
        if node is None:
            return False
        node.slow_down(fault.factor, fault.for_s)
        return True

    def slow_reader(self, fault: Fault) -> bool:
        node = self._node(fault.target)
        if node is None:
            return False
        node.block(fault.for_s)
        return True

    def clock(self, fault: Fault) -> bool:
        node = self._node(fault.target)
        if node is None:
            return False
        if fault.kind is FaultKind.CLOCK_OFFSET:
            node.clock.jump(fault.factor)
        else:
            node.clock.drift(fault.factor)
        node.tick()
        return True

    # -- clients -------------------------------------------------------------------------------------------------

    def cancel_job(self, fault: Fault) -> bool:
        return self.cluster.cancel_job(fault.target)

    def cancel_storm(self, fault: Fault) -> bool:
        names = [job.plan.name for client in self.cluster.clients.values() for job in client.requests.values()]
        hits = [self.cluster.cancel_job(name) for name in names]
        return any(hits)

    def cancel_race(self, fault: Fault) -> bool:
        clients = self.cluster.clients.values()
        if not any(job.plan.name == fault.target for client in clients for job in client.requests.values()):
            return False
        self.cluster.races.add(fault.target)
        return True

    def client_death(self, fault: Fault) -> bool:
        client = self.cluster.clients.get(fault.target)
        if client is None or client.dead:
            return False
        client.die()
        return True

    def duplicate_client(self, fault: Fault) -> bool:
        if fault.target not in self.cluster.clients or "s" not in self.cluster.bosses:
            return False
        self._serial += 1
        visitor = Client(self.cluster, f"{fault.target}00{self._serial}", is_visitor=True)
        self.cluster.visitors.append(visitor)
        self.cluster.tasks[VISIT.name] = VISIT
        self.cluster.connect_client(visitor)
        visitor.submit(Job("", [VISIT]))
        return True

    def stale_incarnation(self, fault: Fault) -> bool:
        """The boss gives the manager up, which knows nothing of that, and neither hears of it nor is heard."""
        pipe = self._link(fault.target)
        if pipe is None or not isinstance(pipe.far.session, End):
            return False
        self.cluster.wires.cut(pipe, pipe_learns=False, far_learns=False)
        self._part(fault)
        pipe.far.session.end("given up")
        return True


TABLE: dict[FaultKind, Callable[[Faults, Fault], bool]] = {
    FaultKind.CRASH_WORKER: Faults.crash_worker,
    FaultKind.CRASH_MANAGER: Faults.crash_manager,
    FaultKind.CRASH_SERVER: Faults.crash_server,
    FaultKind.JOIN_WORKER: Faults.join_worker,
    FaultKind.JOIN_MANAGER: Faults.join_manager,
    FaultKind.CLOSE: Faults.close,
    FaultKind.CUT: Faults.cut,
    FaultKind.HALF_OPEN: Faults.half_open,
    FaultKind.VANISH: Faults.vanish,
    FaultKind.ONE_WAY: Faults.hold_back,
    FaultKind.CLOG: Faults.hold_back,
    FaultKind.SLOW_NODE: Faults.slow_node,
    FaultKind.SLOW_READER: Faults.slow_reader,
    FaultKind.CLOCK_OFFSET: Faults.clock,
    FaultKind.CLOCK_DRIFT: Faults.clock,
    FaultKind.CANCEL_JOB: Faults.cancel_job,
    FaultKind.CANCEL_STORM: Faults.cancel_storm,
    FaultKind.CANCEL_RACE: Faults.cancel_race,
    FaultKind.CLIENT_DEATH: Faults.client_death,
    FaultKind.DUPLICATE_CLIENT: Faults.duplicate_client,
    FaultKind.STALE_INCARNATION: Faults.stale_incarnation,
    FaultKind.CORRUPT_FRAME: Faults.corrupt_frame,
}
