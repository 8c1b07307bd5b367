"""A simulated cluster: the product's server, managers and workers, their links and processes, and what they tell.

Every node is a trio task with a cancel scope of its own, which stands for its process. Time is the simulated clock's,
and begins when all nodes have started.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import trio

from triort._client.client import Client
from triort._client.opening import greet_server, serve_session
from triort._core.node_core import NodeCore
from triort._core.worker_core import WorkerCore
from triort._model.errors import TriortError
from triort._model.limits import DIAL_S
from triort._model.marks import observed
from triort._model.outcomes import OutcomeKind
from triort._node.checks import describe
from triort._node.manager import Manager
from triort._node.server import Server
from triort._node.server_base import DEFAULT_MANAGER_PORT, ServerBase
from triort._wire import payload
from triort.testing._events import FRAMES_SPAN, Event, Kind, Outcome, Violation
from triort.testing._plan.draws import Draws
from triort.testing._plan.plan import Plan
from triort.testing._run import Trace
from triort.testing._tier2.machine import SimClientMachine, SimListener, SimMachine
from triort.testing._tier2.process import SimProcess
from triort.testing._tier2.steps import Steps
from triort.testing._tier2.wire import Wire
from triort.testing._trio.clock import SimClock
from triort.testing._trio.failures import SimulationError

SERVER_PORT = 7472
START_S = 60.0
"""How long before the time of the plan, which begins at 0, the nodes start."""


@attrs.define(eq=False)
class NodeProcess:
    """The process of a server or manager."""

    node: ServerBase
    machine: SimMachine
    scope: trio.CancelScope = attrs.Factory(trio.CancelScope)
    failure: str | None = None


class Cluster:
    """Made by `open_cluster`. It is the `World` that checkers see."""

    def __init__(self, plan: Plan, clock: SimClock, trace: Trace) -> None:
        self.plan = plan
        self.clock = clock
        self.trace = trace
        self.draws = Draws(plan.seed)
        self.violation: Violation | None = None
        self.scope = trio.CancelScope()
        self.listeners: dict[int, SimListener] = {}
        self.opened = trio.lowlevel.ParkingLot()
        self.processes: dict[str, SimProcess] = {}
        self.node_processes: dict[str, NodeProcess] = {}
        self.wires: dict[str, Wire] = {}
        self.durations: Callable[[Callable[..., Any], SimProcess], float] = lambda call, process: 0.0
        self.outcomes: dict[str, Outcome] = {}
        """How each task has ended at its parent, the last time that it did."""
        self.slowness: dict[str, float] = {}
        self.tells_calls = False
        self.on_outcome: Callable[[str], object] = lambda task: None
        self._flips: Counter[str] = Counter()
        self._wire_serials: Counter[str] = Counter()
        self._started: dict[str, Manager] = {}
        self.draws_of: dict[str, Counter[str]] = {}
        """What the nodes of a name have drawn, one process after the other: they are not to draw the same again."""
        self._nursery: trio.Nursery | None = None
        self._pid = 100
        self._port = DEFAULT_MANAGER_PORT - 1
        self._frames = trace.frames

    # -- the world -----------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual time."""
        return self.clock.now

    @property
    def nodes(self) -> Mapping[str, NodeCore]:
        """The living server and managers."""
        return {name: each.node for name, each in self.node_processes.items()}

    @property
    def workers(self) -> Mapping[str, WorkerCore]:
        """The living workers."""
        return {name: each.worker.core for name, each in self.processes.items() if each.worker is not None}

    def leftovers(self) -> list[str]:
        """Tasks whose function is still being called."""
        return [f"{process.name}: {name} runs" for process in self.processes.values()
                 for name in process.started.values()]  # fmt: skip

    # -- events --------------------------------------------------------------------------------------------------

    def at(self, when: float, fn: Callable[..., object], *args: object) -> object:
        """Call later."""
        return self.clock.at(when, fn, *args)

    def tell(
        self, kind: Kind | Event, node: str = "", what: str = "", peer: str = "", number: int = 0, detail: str = ""
    ) -> None:
        """An event for the trace. What a checker finds ends the run; it is not raised here, in the product's midst."""
        event = kind if isinstance(kind, Event) else Event(self.now, kind, node, what, peer, number, detail)
        try:
            self.trace.tell(event._replace(time_s=round(event.time_s, 9)))
        except Violation as violation:
            self.violate(violation)

    def tell_settled(self, node: str, name: str, kind: int, data: bytes, number: int = 0) -> None:
        """The outcome of a scripted task has come to its parent."""
        value = payload.loads(data) if kind == OutcomeKind.VALUE else 0
        outcome = Outcome(OutcomeKind(kind).name.lower(), value if isinstance(value, int) else 0)
        self.outcomes[name] = outcome
        self.tell(Kind.SETTLE, node, name, number=number, detail=str(outcome))

    def violate(self, violation: Violation) -> None:
        """A check has failed: the run ends, with the first one."""
        if self.violation is None:
            self.violation = violation
            self.scope.cancel()

    def hit(self, name: str) -> None:
        """The product has come to a `sometimes` mark."""
        self.tell(Kind.MARK, what=name)

    def flip(self, name: str) -> bool:
        """Whether the product goes its rare way at this `buggify` point."""
        self._flips[name] += 1
        return self.draws.chance(self.plan.buggify.get(name, 0.0), "buggify", name, self._flips[name])

    def tells_frames(self) -> bool:
        """Whether frames are worth an event."""
        self.trace.num_messages += 1
        return self._frames

    # -- links ---------------------------------------------------------------------------------------------------

    def open_wire(self, name: str, boss: str, employee: str) -> Wire:
        """A link, under the name of its lower end; each has a span of its own for the numbers of its frames."""
        serial = self._wire_serials[name]
        self._wire_serials[name] += 1
        level = 0 if name.startswith("c") else name.count(".") + 1
        wire = self.wires[name] = Wire(self, name, boss, employee, level, serial * FRAMES_SPAN)
        self.tell(Kind.OPEN, employee, name, peer=boss, number=serial)
        return wire

    def latency_s(self, wire: Wire, way: str, number: int) -> float:
        """How long a frame takes, by the latency class of its level."""
        classes = self.plan.latency or ["local"]
        name = classes[min(wire.level, len(classes) - 1)]
        slowness = max(self.slowness.get(wire.boss, 1.0), self.slowness.get(wire.employee, 1.0))
        return self.draws.latency(name, wire.name, way, number) * slowness

    @asynccontextmanager
    async def open_client(self, name: str) -> AsyncIterator[Client]:
        """A client of the server, as `triort.open_client` makes one; raises `StartupError`."""
        machine = SimClientMachine(self, name)
        raw = await machine.dial("127.0.0.1", SERVER_PORT, timeout_s=DIAL_S)
        dial = partial(machine.dial_once, "127.0.0.1", SERVER_PORT)
        conn, _ = await greet_server(machine, raw, name, dial)
        async with serve_session(conn) as client:
            yield client

    # -- nodes ---------------------------------------------------------------------------------------------------

    def next_pid(self) -> int:
        """A number for a process."""
        self._pid += 1
        return self._pid

    def start_soon(self, fn: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Start a task of the cluster."""
        assert self._nursery is not None, "the cluster is not running"
        self._nursery.start_soon(fn, *args)

    async def start(self, tree: Sequence[int]) -> None:
        """Start the whole tree and wait until the server serves; its time begins then."""
        assert self._nursery is not None, "the cluster is not running"
        if len(tree) == 1:
            server = Server(None, SERVER_PORT, num_workers=tree[0], name="s")
        else:
            ports = [self.start_manager(f"m{number}", tree[1:]) for number in range(tree[0])]
            server = Server([("127.0.0.1", port) for port in ports], SERVER_PORT, name="s")
        await self._nursery.start(self._run_node, "s", server)
        if self.now > 0:
            raise SimulationError(f"the cluster has not started within {START_S:g} s")
        await trio.sleep_until(0.0)

    def start_manager(self, name: str, tree: Sequence[int]) -> int:
        """Start a manager and all managers below it; its workers come with its boss. Returns its port."""
        if len(tree) == 1:
            manager = Manager(self._next_port(), tree[0], name=name)
        else:
            ports = [self.start_manager(f"{name}.m{number}", tree[1:]) for number in range(tree[0])]
            manager = Manager(self._next_port(), ipports=[("127.0.0.1", port) for port in ports], name=name)
        self._started[name] = manager
        self.start_soon(self._run_node, name, manager)
        return manager.port

    def restart_manager(self, name: str) -> None:
        """Somebody starts a manager again that was killed, as it was and where it was."""
        if name not in self.node_processes:
            old = self._started[name]
            self.start_soon(self._run_node, name, Manager(old.port, old.num_workers, old.ipports, name=name))

    def _next_port(self) -> int:
        self._port += 1
        return self._port

    async def _run_node(
        self, name: str, node: ServerBase, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        machine = node.machine = SimMachine(self, name)
        process = self.node_processes[name] = NodeProcess(node, machine)
        self.tell(Kind.BORN, name)
        try:
            with process.scope:
                if isinstance(node, Server):
                    await node.run(task_status)
                else:
                    assert isinstance(node, Manager)
                    await node.run()
        except TriortError as exc:
            process.failure = describe(exc)
        except Exception as exc:
            self.violate(Violation(f"crash of {name}", "".join(traceback.format_exception(exc)), self.now))
        finally:
            self._bury(process, "ended")

    def kill_node(self, name: str, how: str = "signal 9") -> bool:
        """The process of a server or manager is gone; false if there is none."""
        process = self.node_processes.get(name)
        if process is None:
            return False
        self._bury(process, how)
        process.scope.cancel()
        return True

    def _bury(self, process: NodeProcess, how: str) -> None:
        name = process.machine.name
        if not process.machine.is_dead:
            self.node_processes.pop(name, None)
            self.tell(Kind.DIED, name, detail=process.failure or how)
            process.machine.die()

    def forget_process(self, process: SimProcess) -> None:
        """A worker process is gone."""
        self.processes.pop(process.name, None)

    def dismiss_unclaimed(self) -> None:
        """End the managers that wait for a boss: they would do so for ever."""
        for name, process in list(self.node_processes.items()):
            if isinstance(process.node, Manager) and process.node.boss is None:
                self.kill_node(name, "nobody has come for it")

    async def stop(self) -> None:
        """Shut the server down, in order, and with it everything below."""
        process = self.node_processes.get("s")
        if process is not None:
            process.node.sel.put_nowait(process.node.handle_shutdown)


@asynccontextmanager
async def open_cluster(plan: Plan, clock: SimClock, trace: Trace) -> AsyncIterator[Cluster]:
    """A cluster without nodes; leaving it ends all of them at once."""
    cluster = Cluster(plan, clock, trace)
    steps = Steps()
    trio.lowlevel.add_instrument(steps)
    try:
        with cluster.scope, observed(cluster):
            async with trio.open_nursery() as nursery:
                cluster._nursery = nursery
                yield cluster
                nursery.cancel_scope.cancel()
    finally:
        trio.lowlevel.remove_instrument(steps)
