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
from triort._model.ids import Address, NodeId
from triort._model.messages import Started
from triort.testing._events import Event, Kind, Outcome
from triort.testing._plan.draws import Draws
from triort.testing._plan.plan import Batch, Plan, Task
from triort.testing._plan.tries import Tries
from triort.testing._records import Records
from triort.testing._run import Trace
from triort.testing._tier1.bosses import Boss
from triort.testing._tier1.clients import Client
from triort.testing._tier1.heap import Heap
from triort.testing._tier1.hiring import Hiring, link, report
from triort.testing._tier1.journals import open_journal
from triort.testing._tier1.pipes import Path
from triort.testing._tier1.sessions import Sessions
from triort.testing._tier1.wires import Wires
from triort.testing._tier1.workers import Worker

FIRST_JOINER = 1000
"""Managers that join are called by numbers from here."""


class Cluster:
    """The heap, the wires, and all nodes by name."""

    def __init__(self, plan: Plan, trace: Trace) -> None:
        self.plan = plan
        self.trace = trace
        self.heap = Heap()
        self.draws = Draws(plan.seed)
        self.wires = Wires(self.heap, self.draws, trace)
        self.sessions = Sessions(self)
        self.hiring = Hiring(self)
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
        self._joined = 0
        self.records: Records = []
        """What is in the server's journal."""
        self.num_commits = 0
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

    def start_server(self, *, is_again: bool = False) -> None:
        """Start the server, and the first time the tree of the plan below it; managers live on, and come."""
        core = ServerCore(choose=self._chooser("s"))
        server = self._add_boss("s", core, 0, self.plan.tree)
        if self.plan.journal:
            server.journal = open_journal(server)
        if is_again and server.endpoints:
            server.dial_all()
        else:
            self._grow(server, self.plan.tree)
        server.perform()  # jobs of the journal may be out of time already

    def connect_client(self, client: Client) -> None:
        """Link a client to the server, if there is one."""
        server = self.bosses.get("s")
        if server is not None:
            path = self.path_of(client.name)
            above, client.pipe = self.wires.connect(path, server, client, is_client=True)
            assert isinstance(server.core, ServerCore)
            server.core.add_client(above, client.token)
            self.sessions.open(above, client.pipe, dialler=client.pipe)
            server.pipes.append(above)

    def has_given_up(self, client: Client) -> bool:
        """Whether the server would not let this client in again."""
        core = self._nodes["s"]
        return isinstance(core, ServerCore) and client.token in core.jobs.leases.given_up

    def _add_boss(self, name: str, core: NodeCore, level: int, tree: Sequence[int]) -> Boss:
        prefix = "" if name == "s" else f"{name}."
        endpoints = [f"{prefix}m{number}" for number in range(tree[0])] if len(tree) > 1 else []
        boss = self.bosses[name] = Boss(self, name, core, endpoints, 0 if endpoints else tree[0])
        boss.level = level
        self._nodes[name] = core
        self.tell(Kind.BORN, name, peer=boss_name(name))
        return boss

    def _grow(self, boss: Boss, tree: Sequence[int]) -> None:
        """All below a node of the first tree, at once."""
        if boss.endpoints:
            ranges = boss.core.ids.shares(len(boss.endpoints))
            for name, ids in zip(boss.endpoints, ranges, strict=True):
                manager = self._make_manager(name, boss.level + 1, tree[1:])
                pipe = link(boss, manager, joins=False)
                manager.core.set_ids(*ids)
                manager.core.running = manager.is_in_office = True
                self._grow(manager, tree[1:])
                report(manager)
                boss.hire(pipe.far, manager, manager.core.total_workers)
        else:
            self.hire_workers(boss)
        boss.perform()

    def hire_workers(self, boss: Boss) -> None:
        """All workers of a node start."""
        boss.core.suspects.isolate(can_start=True)
        for _ in range(boss.num_workers):
            worker = self._make_worker(boss)
            boss.hire(worker.pipe.far, worker, 1)
            worker.loop()

    def _make_manager(self, name: str, level: int, tree: Sequence[int]) -> Boss:
        """A manager that waits for its boss."""
        manager = self._add_boss(name, NodeCore(choose=self._chooser(name)), level, tree)
        manager.is_in_office = manager.core.running = False
        return manager

    def start_again(self, name: str, level: int, tree: Sequence[int], *, joins: bool) -> None:
        """Whoever runs the cluster starts a manager anew."""
        if name not in self.bosses:
            self._make_manager(name, level, tree)
            if joins:
                self.hiring.wish(boss_name(name), name, joins=True)

    def join_manager(self, boss: Boss, num_workers: int) -> None:
        """A manager joins late: it dials its boss."""
        self._joined += 1
        prefix = "" if boss.name == "s" else f"{boss.name}."
        name = f"{prefix}m{FIRST_JOINER + self._joined}"
        self._make_manager(name, boss.level + 1, [num_workers])
        self.hiring.wish(boss.name, name, joins=True, after_s=0.0)

    def add_worker(self, boss: Boss, incarnation: int | None = None, is_extra: bool = False) -> None:
        """One more worker starts; its boss hears of it from itself."""
        if not boss.dead and boss.is_in_office and incarnation in (None, boss.incarnation):
            worker = self._make_worker(boss, is_extra=is_extra)
            self.wires.send([Send(worker.pipe, Started(1, worker.name, 0), ())])
            worker.loop()

    def _make_worker(self, boss: Boss, *, is_extra: bool = False) -> Worker:
        boss.id_serial += 1
        if is_extra:
            boss.extra_serial += 1
            name = f"{boss.name}.x{boss.extra_serial}"
        else:
            boss.worker_serial += 1
            name = f"{boss.name}.w{boss.worker_serial}"
        worker = Worker(self, name, NodeId(boss.core.lower_id_bound + boss.id_serial), boss, is_extra=is_extra)
        self.hands[name] = worker
        self.tell(Kind.BORN, name, peer=boss.name)
        above, below = self.wires.connect(self.path_of(name), boss, worker)
        worker.join(below)
        self._workers[name] = worker.core
        boss.expect(above, worker)
        return worker

    def process(self, name: str) -> Boss | Client | None:
        """The living process of this name."""
        return self.bosses.get(name) or self.clients.get(name)

    def unsettled(self) -> list[str]:
        """What will yet happen, though nothing on the heap says so."""
        return [*self.sessions.unsettled(), *self.hiring.unsettled()]

    def path_of(self, name: str) -> Path:
        """The path that ends at this node below."""
        level = 0 if name.startswith("c") else name.removeprefix("s.").count(".") + 1
        classes = self.plan.latency or ["local"]
        return self.wires.path(name, classes[min(level, len(classes) - 1)])

    def forget(self, node: Boss | Worker) -> None:
        """A node is gone."""
        if isinstance(node, Boss):
            if self.bosses.get(node.name) is node:
                del self.bosses[node.name], self._nodes[node.name]
        elif self.hands.get(node.name) is node:
            del self.hands[node.name], self._workers[node.name]

    # -- inside --------------------------------------------------------------------------------------------------

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
