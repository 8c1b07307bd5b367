"""A cluster of the pure cores on one event heap: the world that checkers see in tier 1."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

from triort._core.links import Send
from triort._core.node_core import NodeCore
from triort._core.placement import Choose
from triort._core.server_core import ServerCore
from triort._core.worker_core import WorkerCore
from triort._model.ids import Address, NodeId, split_ids
from triort._model.messages import Started
from triort.testing._events import Event, Kind, Outcome
from triort.testing._plan.draws import Draws
from triort.testing._plan.plan import Batch, Plan, Task
from triort.testing._plan.tries import Tries
from triort.testing._run import Trace
from triort.testing._tier1.bosses import Boss
from triort.testing._tier1.clients import Client
from triort.testing._tier1.heap import Heap
from triort.testing._tier1.wires import Wire, Wires
from triort.testing._tier1.workers import Worker

LATE_SHARES = 512
"""Managers that join late split the share that `split_ids` leaves for them into so many parts."""


class Cluster:
    """The heap, the wires, and all nodes by name."""

    def __init__(self, plan: Plan, trace: Trace) -> None:
        self.plan = plan
        self.trace = trace
        self.heap = Heap()
        self.draws = Draws(plan.seed)
        self.wires = Wires(self.heap, self.draws, trace)
        self.tries = Tries()
        self.tasks: dict[str, Task] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.bosses: dict[str, Boss] = {}
        self.hands: dict[str, Worker] = {}
        """Living workers."""
        self.clients: dict[str, Client] = {}
        self.visitors: list[Client] = []
        self.races: set[str] = set()
        """Jobs to be cancelled when the next outcome of theirs leaves a worker."""
        self.jobs_of: dict[Address, str] = {}
        """While there are races: whose task an attempt is."""
        self.has_liars = any(fault.kind in ("stale_incarnation", "half_open", "crash_server") for fault in plan.faults)
        """Faults may make nodes say what the protocol does not allow."""
        self._flips: Counter[str] = Counter()
        self._nodes: dict[str, NodeCore] = {}
        self._workers: dict[str, WorkerCore] = {}
        for job in plan.jobs:
            for item in job.items:
                self._learn(item)

    def _learn(self, root: Task) -> None:
        todo = [root]
        while todo:
            task = todo.pop()
            self.tasks[task.name] = task
            for step in task.steps:
                if isinstance(step, Batch):
                    todo += step.children

    # -- as checkers see it --------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual time."""
        return self.heap.now

    @property
    def nodes(self) -> Mapping[str, NodeCore]:
        """The living server and managers."""
        return self._nodes

    @property
    def workers(self) -> Mapping[str, WorkerCore]:
        """The living workers."""
        return self._workers

    def leftovers(self) -> list[str]:
        """What this tier itself still holds."""
        found = [f"on the heap: {name}" for name in self.heap.waiting()]
        if self.wires.num_held:
            found.append(f"{self.wires.num_held} frames are held on clogged links")
        for node in [*self.bosses.values(), *self.hands.values(), *self.clients.values(), *self.visitors]:
            if node.num_unread:
                found.append(f"{node.name}: {node.num_unread} unread frames")
        for worker in self.hands.values():
            if worker.tasks.open:
                found.append(f"{worker.name}: {[each.task.name for each in worker.tasks.open.values()]} still run")
        for client in [*self.clients.values(), *self.visitors]:
            if client.requests or client.statuses:
                found.append(f"{client.name}: {len(client.requests)} jobs, {len(client.statuses)} requests for status")
        return found

    # -- growing -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the whole tree, at once, and the clients."""
        self.start_server()
        for name in dict.fromkeys(job.client for job in self.plan.jobs):
            self.clients[name] = Client(self, name)
            self.tell(Kind.BORN, name, peer="s")
            self.connect_client(self.clients[name])

    def start_server(self) -> None:
        """Start the server and the tree of the plan below it."""
        core = ServerCore(choose=self._chooser("s"))
        self._grow(self._add_boss("s", core, 0, len(self.plan.tree) > 1), self.plan.tree)

    def connect_client(self, client: Client) -> None:
        """Link a client to the server, if there is one."""
        server = self.bosses.get("s")
        if server is not None:
            wire = Wire(client.name, self._latency(0), is_client=True)
            above, client.pipe = self.wires.connect(wire, server, client)
            server.pipes.append(above)

    def _add_boss(self, name: str, core: NodeCore, level: int, has_managers: bool) -> Boss:
        boss = self.bosses[name] = Boss(self, name, core, level, has_managers)
        self._nodes[name] = core
        self.tell(Kind.BORN, name, peer=boss_name(name))
        return boss

    def _grow(self, boss: Boss, tree: Sequence[int]) -> None:
        if len(tree) == 1:
            boss.core.suspects.isolate(can_start=True)
            for _ in range(tree[0]):
                worker = self._make_worker(boss)
                boss.hire(worker.pipe.far, worker, 1)
                worker.loop()
        else:
            for lower, upper in split_ids(boss.core.lower_id_bound + 1, boss.core.upper_id_bound, tree[0]):
                manager = self._make_manager(boss, boss.next_manager(), lower, upper, tree[1:])
                assert manager.above is not None
                boss.hire(manager.above.far, manager, manager.core.total_workers)
        boss.perform()

    def _make_manager(self, boss: Boss, name: str, lower: int, upper: int, tree: Sequence[int]) -> Boss:
        """A manager with all below it; its boss is yet to hear that it has started."""
        full = name if boss.above is None else f"{boss.name}.{name}"
        core = NodeCore(choose=self._chooser(full))
        core.lower_id_bound, core.upper_id_bound = lower, upper
        manager = self._add_boss(full, core, boss.level + 1, len(tree) > 1)
        wire = Wire(full, self._latency(boss.level + 1))
        above, manager.above = self.wires.connect(wire, boss, manager)
        manager.pipes.append(manager.above)
        boss.expect(above, manager)
        self._grow(manager, tree)
        core.set_boss(manager.above, boss.name, lower, upper)
        core.outbox.append(Send(manager.above, Started(core.total_workers, full, 0), ()))
        manager.perform()
        return manager

    def join_manager(self, boss: Boss, tree: Sequence[int], name: str = "") -> None:
        """A manager joins late, with a part of the ids that are kept for such."""
        if boss.dead:
            return
        boss.late_managers += 1
        lower, upper = boss.core.lower_id_bound + 1, boss.core.upper_id_bound
        start = split_ids(lower, upper, self.plan.tree[boss.level])[-1][1]
        size = (upper - start) // LATE_SHARES
        first = start + size * (boss.late_managers - 1)
        if boss.late_managers <= LATE_SHARES:
            self._make_manager(boss, name or boss.next_manager(), first, first + size, tree)

    def add_worker(self, boss: Boss, is_extra: bool = False) -> None:
        """One more worker starts; its boss hears of it from itself."""
        if not boss.dead:
            worker = self._make_worker(boss, is_extra=is_extra)
            self.wires.send([Send(worker.pipe, Started(1, worker.name, 0), ())])
            worker.loop()

    def _make_worker(self, boss: Boss, *, is_extra: bool = False) -> Worker:
        if is_extra:
            boss.extra_serial += 1
            name = f"{boss.name}.x{boss.extra_serial}"
        else:
            boss.worker_serial += 1
            name = f"{boss.name}.w{boss.worker_serial}"
        wire = Wire(name, self._latency(boss.level + 1))
        node_id = NodeId(boss.core.lower_id_bound + boss.worker_serial + boss.extra_serial)
        worker = Worker(self, name, node_id, boss, is_extra=is_extra)
        self.hands[name] = worker
        self.tell(Kind.BORN, name, peer=boss.name)
        above, below = self.wires.connect(wire, boss, worker)
        worker.join(below)
        self._workers[name] = worker.core
        boss.expect(above, worker)
        return worker

    def forget(self, node: Boss | Worker) -> None:
        """A node is gone."""
        if isinstance(node, Boss):
            if self.bosses.get(node.name) is node:
                del self.bosses[node.name], self._nodes[node.name]
        elif self.hands.get(node.name) is node:
            del self.hands[node.name], self._workers[node.name]

    # -- inside --------------------------------------------------------------------------------------------------

    def _latency(self, level: int) -> str:
        classes = self.plan.latency or ["local"]
        return classes[min(level, len(classes) - 1)]

    def _chooser(self, name: str) -> Choose:
        counts = itertools.count()
        draws = self.draws
        return lambda what, n: draws.integer(n, "choose", name, what, next(counts))

    def tell(self, kind: Kind, node: str, what: str = "", peer: str = "", detail: str = "") -> None:
        """Something has happened to the cluster."""
        self.trace.tell(Event(self.heap.now, kind, node, what, peer, 0, detail))

    def hit(self, name: str) -> None:
        """A core has come to a `sometimes` mark."""
        self.tell(Kind.MARK, "", name)

    def flip(self, name: str) -> bool:
        """Whether a core goes its rare way at this `buggify` point."""
        often = self.plan.buggify.get(name, 0.0)
        if not often:
            return False
        self._flips[name] += 1
        return self.draws.chance(often, "buggify", name, self._flips[name])

    def note_leaving(self, addresses: Sequence[Address]) -> None:
        """These outcomes are about to leave a worker: who races with them cancels now."""
        for address in addresses:
            job = self.jobs_of.pop(address, "")
            if job in self.races:
                self.races.discard(job)
                self.cancel_job(job)

    def cancel_job(self, name: str) -> bool:
        """The client of a job cancels it."""
        return any(client.cancel(name) for client in self.clients.values())


def boss_name(name: str) -> str:
    """The name of the boss of a server (none) or manager."""
    return "" if name == "s" else name.rpartition(".")[0] or "s"
