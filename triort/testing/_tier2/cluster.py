"""A simulated cluster: the product's server, managers and workers, their links and processes, and what they tell.

Every node is a trio task with a cancel scope of its own, which stands for its process. Time is the simulated clock's,
and begins when all nodes have started.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import attrs
import trio

from triort._client.client import Client
from triort._core.node_core import NodeCore
from triort._core.worker_core import WorkerCore
from triort._model.errors import TriortError
from triort._model.marks import observed
from triort._model.messages import Received
from triort._model.outcomes import OutcomeKind
from triort._node.checks import describe
from triort._node.defaults import DEFAULT_MANAGER_PORT
from triort._node.manager import Manager
from triort._node.server import Server
from triort._node.server_base import ServerBase
from triort._wire import payload
from triort.testing._events import Event, Kind, Outcome, Violation, note_outcome
from triort.testing._plan.draws import Draws
from triort.testing._plan.plan import Plan
from triort.testing._records import Records
from triort.testing._run import Trace
from triort.testing._tier2.launch import AGAIN_S, SERVER_PORT, Spec, make_node, open_client
from triort.testing._tier2.living import Living
from triort.testing._tier2.machine import SimListener, SimMachine
from triort.testing._tier2.network import Network
from triort.testing._tier2.process import SimProcess
from triort.testing._tier2.steps import Steps
from triort.testing._tier2.wire import Wire
from triort.testing._trio.clock import SimClock
from triort.testing._trio.failures import SimulationError

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
        self.network = Network(self)
        self.specs: dict[str, Spec] = {}
        self.records: Records = []
        """What is in the server's journal."""
        self.num_commits = 0
        self.durations: Callable[[Callable[..., Any], SimProcess], float] = lambda call, process: 0.0
        self.outcomes: dict[str, Outcome] = {}
        self.slowness: dict[str, float] = {}
        self.tells_calls = False
        self.on_outcome: Callable[[str], object] = lambda task: None
        self._flips: Counter[str] = Counter()
        self._nursery: trio.Nursery | None = None
        self._pid = 100
        self._ports = count(DEFAULT_MANAGER_PORT)
        self._frames = trace.frames

    # -- the world -----------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual time."""
        return self.clock.now

    @property
    def wires(self) -> Mapping[str, Wire]:
        """The last connection of each link, by its lower end."""
        return self.network.wires

    @property
    def nodes(self) -> Mapping[str, NodeCore]:
        """The living server and managers, without those that wait for a boss: their books are of the last one."""
        return Living(self.node_processes, lambda process: process.node if process.node.running else None)

    @property
    def workers(self) -> Mapping[str, WorkerCore]:
        """The living workers."""
        return Living(self.processes, lambda process: process.worker.core if process.worker is not None else None)

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
        note_outcome(self.outcomes, name, outcome)
        self.tell(Kind.SETTLE, node, name, number=number, detail=str(outcome))

    def violate(self, violation: Violation) -> None:
        """A check has failed: the run ends, with the first one."""
        if self.violation is None:
            self.violation, self.trace.is_over = violation, True
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

    def note_words(self, wire: Wire, batch: list[Received]) -> None:
        """The first frame of one direction of a connection is sent."""
        self.network.note_words(wire, batch)

    def latency_s(self, wire: Wire, way: str, number: int) -> float:
        """How long a frame takes, by the latency class of its level."""
        classes = self.plan.latency or ["local"]
        name = classes[min(wire.level, len(classes) - 1)]
        slowness = max(self.slowness.get(wire.boss, 1.0), self.slowness.get(wire.employee, 1.0))
        return self.draws.latency(name, wire.name, way, number) * slowness

    @asynccontextmanager
    async def open_client(self, name: str) -> AsyncIterator[Client]:
        """A client of the server, as `triort.open_client` makes one; raises `StartupError`."""
        async with open_client(SimMachine(self, name)) as client:
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
            self.specs["s"] = Spec(SERVER_PORT, tree[0])
        else:
            ports = [self.start_manager(f"m{number}", tree[1:]) for number in range(tree[0])]
            self.specs["s"] = Spec(SERVER_PORT, 0, ports)
        await self._nursery.start(self._run_node, "s", self._make("s"))
        if self.now > 0:
            raise SimulationError(f"the cluster has not started within {START_S:g} s")
        await trio.sleep_until(0.0)

    def start_manager(self, name: str, tree: Sequence[int], *, joins: int | None = None) -> int:
        """Start a manager and all managers below it; its workers come with its boss. Returns its port. With ``joins``
        it dials its boss at that port."""
        ports = [self.start_manager(f"{name}.m{number}", tree[1:]) for number in range(tree[0])] if tree[1:] else None
        self.specs[name] = Spec(port := next(self._ports), 0 if ports else tree[0], ports, joins)
        self.start_soon(self._run_node, name, self._make(name))
        return port

    def start_again(self, name: str) -> None:
        """Whoever runs the cluster starts a node anew, as before."""
        if name not in self.node_processes:
            self.start_soon(self._run_node, name, self._make(name))

    async def _start_when_possible(self, name: str) -> None:
        """It could not start; whoever runs the cluster tries again when all are there that it needs."""
        await trio.sleep(AGAIN_S)
        while not all(port in self.listeners for port in self.specs[name].needs):
            await self.opened.park()
        self.start_again(name)

    def _make(self, name: str) -> ServerBase:
        return make_node(name, self.specs[name], journal=self.plan.journal)

    def name_at(self, port: int) -> str:
        """Who is to listen there."""
        return next(name for name, spec in self.specs.items() if spec.port == port)

    async def _run_node(
        self, name: str, node: ServerBase, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        machine = node.machine = SimMachine(self, name)
        process = self.node_processes[name] = NodeProcess(node, machine)
        self.network.listen_to(node)
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
            if process.failure is not None and self.now > 0:
                self.start_soon(self._start_when_possible, name)

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
        if process := self.node_processes.get("s"):
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
