"""The faults of a plan, as they happen to a simulated cluster: one function for each kind, found by a table."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import trio

from triort._model.errors import ConnectionLost, StartupError
from triort._node.manager import Manager
from triort._node.server import Server
from triort._transport.session import SessionConnection
from triort.testing._events import Kind
from triort.testing._plan.plan import Fault, FaultKind
from triort.testing._tier2.clients import SimClient
from triort.testing._tier2.cluster import Cluster
from triort.testing._tier2.wire import HOLD_FOREVER, Wire

FIRST_JOINER = 1000
"""Managers that join are called by numbers from here."""


@attrs.define(eq=False)
class Faults:
    """Injects the faults of one run; ``missed`` counts those whose target was not there."""

    cluster: Cluster
    clients: dict[str, SimClient]
    missed: int = 0
    _joined: int = 0
    _racing: list[Fault] = attrs.Factory(list)

    def schedule(self) -> None:
        """Put all faults of the plan on the clock."""
        for fault in self.cluster.plan.faults:
            self.cluster.at(fault.at_s, self.happen, fault)

    def happen(self, fault: Fault) -> bool:
        """One fault, now; false if its target is not there."""
        hit = _TABLE[fault.kind](self, fault)
        self.missed += not hit
        detail = "" if hit else "missed"
        if hit:
            more = [f"for {fault.for_s} s" if fault.for_s else "", f"by {fault.factor}" if fault.factor != 1 else "",
                    f"towards {fault.side}" if fault.side else ""]  # fmt: skip
            detail = ", ".join(each for each in more if each)
        self.cluster.tell(Kind.FAULT, fault.target, fault.kind.value, detail=detail)
        return hit

    def heal(self) -> None:
        """All that can be mended is."""
        self.cluster.network.heal()
        self.cluster.slowness.clear()
        for process in self.cluster.processes.values():
            process.slowness = 1.0
        for node in self.cluster.node_processes.values():
            node.machine.set_clock(rate=1.0)

    def _wire(self, fault: Fault) -> Wire | None:
        wire = self.cluster.wires.get(fault.target)
        return wire if wire is not None and wire.is_open else None

    # -- processes -----------------------------------------------------------------------------------------------

    def crash_worker(self, fault: Fault) -> bool:
        process = self.cluster.processes.get(fault.target)
        if process is None:
            return False
        process.kill()
        return True

    def crash_node(self, fault: Fault) -> bool:
        if not self.cluster.kill_node(fault.target):
            return False
        if fault.for_s:
            self.cluster.at(self.cluster.now + fault.for_s, self.cluster.start_again, fault.target)
        return True

    def join_worker(self, fault: Fault) -> bool:
        process = self.cluster.node_processes.get(fault.target)
        pool = process.node.pool if process is not None else None
        if process is None or pool is None or not pool.has_template:
            return False
        process.node.start_soon(pool.start_one)
        return True

    def join_manager(self, fault: Fault) -> bool:
        process = self.cluster.node_processes.get(fault.target)
        node = process.node if process is not None else None
        if not isinstance(node, Manager | Server) or node.ipports is None:
            return False
        self._joined += 1
        prefix = "" if fault.target == "s" else f"{fault.target}."
        port = self.cluster.specs[fault.target].port
        self.cluster.start_manager(f"{prefix}m{FIRST_JOINER + self._joined}", [max(int(fault.factor), 1)], joins=port)
        return True

    # -- links ---------------------------------------------------------------------------------------------------

    def close(self, fault: Fault) -> bool:
        wire = self._wire(fault)
        if wire is None:
            return False
        wire.close(wire.employee)
        return True

    def cut(self, fault: Fault) -> bool:
        wire = self._wire(fault)
        if wire is None:
            return False
        wire.cut(wire.boss, wire.employee)
        self.cluster.network.part(wire.name, fault.for_s)
        return True

    def half_open(self, fault: Fault) -> bool:
        wire = self._wire(fault)
        if wire is None:
            return False
        wire.cut(wire.boss if fault.side == "boss" else wire.employee)
        self.cluster.network.part(wire.name, fault.for_s)
        return True

    def vanish(self, fault: Fault) -> bool:
        wire = self._wire(fault)
        if wire is None:
            return False
        wire.vanish()
        self.cluster.network.part(wire.name, fault.for_s)
        return True

    def hold_back(self, fault: Fault) -> bool:
        wire = self._wire(fault)
        if wire is None:
            return False
        until = self.cluster.now + fault.for_s if fault.for_s else HOLD_FOREVER
        ways = {"boss": [wire.up], "employee": [wire.down]}.get(fault.side, [wire.down, wire.up])
        wire.hold(until, *ways)
        return True

    def slow_reader(self, fault: Fault) -> bool:
        found = False
        for wire in self.cluster.wires.values():
            if wire.is_open and fault.target in (wire.boss, wire.employee):
                way = wire.down if wire.employee == fault.target else wire.up
                wire.hold(self.cluster.now + fault.for_s, way)
                found = True
        return found

    def corrupt_frame(self, fault: Fault) -> bool:
        wire = self._wire(fault)
        if wire is None:
            return False
        (wire.up if fault.side == "boss" else wire.down).corrupt = True
        return True

    # -- clocks and speed ----------------------------------------------------------------------------------------

    def slow_node(self, fault: Fault) -> bool:
        cluster, name = self.cluster, fault.target
        process = cluster.processes.get(name)
        if process is None and name not in cluster.node_processes:
            return False
        cluster.slowness[name] = fault.factor
        if process is not None:
            process.slowness = fault.factor
        if fault.for_s:
            cluster.at(cluster.now + fault.for_s, self._fast_again, name)
        return True

    def _fast_again(self, name: str) -> None:
        self.cluster.slowness.pop(name, None)
        process = self.cluster.processes.get(name)
        if process is not None:
            process.slowness = 1.0

    def clock_offset(self, fault: Fault) -> bool:
        process = self.cluster.node_processes.get(fault.target)
        if process is None:
            return False
        process.machine.set_clock(jump_s=fault.factor)
        process.node.sel.put_nowait(_nothing)
        return True

    def clock_drift(self, fault: Fault) -> bool:
        process = self.cluster.node_processes.get(fault.target)
        if process is None or fault.factor <= 0:
            return False
        process.machine.set_clock(rate=fault.factor)
        process.node.sel.put_nowait(_nothing)
        return True

    # -- clients -------------------------------------------------------------------------------------------------

    def cancel_job(self, fault: Fault) -> bool:
        return any(client.cancel(fault.target) for client in self.clients.values())

    def cancel_storm(self, fault: Fault) -> bool:
        names = [(client, name) for client in self.clients.values() for name in client.open]
        return bool([client.cancel(name) for client, name in names])

    def cancel_race(self, fault: Fault) -> bool:
        if not any(fault.target in client.open for client in self.clients.values()):
            return False
        self._racing.append(fault)
        return True

    def note_outcome(self, task: str) -> None:
        """An outcome has just left a worker: those who race with it cancel now."""
        for fault in [each for each in self._racing if task.startswith(f"{each.target}.")]:
            self._racing.remove(fault)
            self.cancel_job(fault)

    def client_death(self, fault: Fault) -> bool:
        client = self.clients.get(fault.target)
        return client is not None and client.die()

    def duplicate_client(self, fault: Fault) -> bool:
        if fault.target not in self.clients:
            return False
        self._joined += 1
        self.cluster.start_soon(self._visit, f"{fault.target}00{self._joined}")
        return True

    async def _visit(self, name: str) -> None:
        """A client of the same name comes, has one small thing done, and goes."""
        try:
            async with self.cluster.open_client(name) as client:
                await client.run(abs, -1)
        except (ConnectionLost, StartupError):
            pass  # the server is gone

    def stale_incarnation(self, fault: Fault) -> bool:
        """The boss gives the manager up, which knows nothing of that, and neither hears of it nor is heard."""
        wire = self._wire(fault)
        process = self.cluster.node_processes.get(wire.boss) if wire is not None else None
        if wire is None or process is None:
            return False
        conns = [conn for conn in process.node.conns if conn.name == fault.target]
        wire.vanish()
        self.cluster.network.part(wire.name, fault.for_s)
        for conn in conns:
            assert isinstance(conn, SessionConnection)
            conn.end(trio.BrokenResourceError("given up"))
        return bool(conns)


def _nothing() -> None:
    """An event for a node's scheduler, so that it looks at its clock."""


_TABLE: dict[FaultKind, Callable[[Faults, Fault], bool]] = {
    FaultKind.CRASH_WORKER: Faults.crash_worker,
    FaultKind.CRASH_MANAGER: Faults.crash_node,
    FaultKind.CRASH_SERVER: Faults.crash_node,
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
    FaultKind.CLOCK_OFFSET: Faults.clock_offset,
    FaultKind.CLOCK_DRIFT: Faults.clock_drift,
    FaultKind.CANCEL_JOB: Faults.cancel_job,
    FaultKind.CANCEL_STORM: Faults.cancel_storm,
    FaultKind.CANCEL_RACE: Faults.cancel_race,
    FaultKind.CLIENT_DEATH: Faults.client_death,
    FaultKind.DUPLICATE_CLIENT: Faults.duplicate_client,
    FaultKind.STALE_INCARNATION: Faults.stale_incarnation,
    FaultKind.CORRUPT_FRAME: Faults.corrupt_frame,
}
