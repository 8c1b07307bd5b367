"""A whole cluster of real cores on one event heap: pure, deterministic, no clock but its own.

A server, any tree of managers, and workers whose "CPU" is a number of simulated seconds. Links are FIFO with random
delays. What the nodes do around the cores (watch, death of a worker, replacement) is done here as `triort._node` does
it. `monitor.Monitor` watches every step.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from random import Random

import attrs
import msgspec

from tests._core.cluster_worker import SimWorker
from tests._core.monitor import Monitor
from tests._core.scripts import Script
from tests._core.server_model import CLIENT, ServerModel
from triort._core.links import Link, Loss, Send
from triort._core.node_core import Direction, NodeCore
from triort._core.placement import Employee
from triort._core.watch import Action, Watch
from triort._model.ids import Digest, JobId, NodeId, split_ids
from triort._model.limits import POKE_S
from triort._model.messages import JobEnded, JobOutcomes, Message, Options, Started, SubmitJob, TaskSpec
from triort._model.outcomes import Crash

Frame = list[tuple[Message, Sequence[bytes]]]
DIGESTS = tuple(Digest(name) for name in (b"f", b"g", b"h"))


@attrs.define(eq=False)
class Pipe:
    """One end of a link: the opaque ``conn`` of the node that has it."""

    owner: SimManager | SimWorker
    other: Pipe = attrs.field(init=False)
    last: float = 0.0
    closed: bool = False


@attrs.define(eq=False)
class SimManager:
    """A server or manager: its core, and what its node would do around it."""

    cluster: Cluster
    core: NodeCore
    level: int
    watches: dict[SimWorker, Watch] = attrs.Factory(dict)
    managers: list[SimManager] = attrs.Factory(list)
    above: Pipe | None = None
    dead: bool = False
    serial: int = 0
    looking: bool = False

    def on_mail(self, pipe: Pipe, frame: Frame) -> None:
        self.core.now = self.cluster.now
        direction = Direction.ABOVE if pipe is self.above else Direction.BELOW
        for message, parts in frame:
            if not isinstance(message, Started):
                self.core.handle_message(message, direction, pipe, parts)
        self.perform()

    def perform(self) -> None:
        self.core.now = self.cluster.now
        self.cluster.send(self.core.flush())
        if self.watches and not self.looking:
            self.looking = True
            self.cluster.at(POKE_S, self.look)

    def look(self) -> None:
        self.looking = False
        if self.dead:
            return
        core, busy = self.core, False
        for worker, watch in list(self.watches.items()):
            glance = worker.glance()
            employee = core.conn_to_employee_dict[watch.link.conn]
            watch.mail_sent = worker.mail_sent
            busy = busy or bool(watch.link.sent) or glance.mail_read < watch.mail_sent
            elsewhere = core.num_idle_workers - employee.num_idle_workers + core.want_credit
            for action in watch.decide(self.cluster.now, self.cluster.now, glance, elsewhere):
                match action:
                    case Action.POKE:
                        worker.poke()
                    case Action.RECALL:
                        core.recall(employee)
                    case Action.KILL:
                        self.cluster.kill(worker)
        if busy:
            self.perform()
        else:
            self.cluster.send(core.flush())

    def add_worker(self) -> SimWorker:
        self.serial += 1
        node_id = NodeId(self.core.lower_id_bound + self.serial)
        mine, theirs = self.cluster.connect(self)
        worker = SimWorker(self.cluster, node_id, theirs, self)
        theirs.owner = worker
        link = Link(mine, f"{self.core.name}.w{self.serial}")
        self.watches[worker] = Watch(link)
        self.cluster.workers.append(worker)
        self.core.add_employee(Employee(link, link.name, "worker", node_id, node_id + 1, 0, 1))
        self.perform()
        return worker


class Cluster:
    """The heap, the links and the nodes. ``tree`` gives the employees of each level: (2, 4) is 2 managers of 4."""

    def __init__(self, seed: int, tree: Sequence[int], *, latency_s: float = 1e-4, jitter: bool = True) -> None:
        self.rng = Random(seed)
        self.now = 0.0
        self.latency_s = latency_s
        self.jitter = jitter
        self.monitor = Monitor()
        self.workers: list[SimWorker] = []
        self.dead: list[SimManager | SimWorker] = []
        self.scripts: dict[int, Script] = {}
        self.messages = 0
        self.client_outcomes: dict[int, int] = {}
        self.jobs: dict[JobId, list[Script]] = {}
        self.ended_jobs: list[JobId] = []
        self._heap: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._order = itertools.count()
        self.books = ServerModel(lambda name, n: self.rng.randrange(n))
        self.server = SimManager(self, self.books, 0)
        self.books.name = "s"
        self.managers = [self.server]
        self._grow(self.server, tree)

    def _grow(self, node: SimManager, tree: Sequence[int]) -> None:
        if len(tree) == 1:
            for _ in range(tree[0]):
                node.add_worker()
            return
        shares = split_ids(node.core.lower_id_bound + 1, node.core.upper_id_bound, tree[0])
        for lower, upper in shares:
            self.add_manager(node, lower, upper, tree[1:])

    def add_manager(self, boss: SimManager, lower: int, upper: int, tree: Sequence[int]) -> SimManager:
        core = NodeCore(choose=lambda name, n: self.rng.randrange(n))
        core.name = f"{boss.core.name}.{len(boss.managers)}"
        core.lower_id_bound, core.upper_id_bound = lower, upper
        manager = SimManager(self, core, boss.level + 1)
        boss.managers.append(manager)
        self.managers.append(manager)
        mine, theirs = self.connect(boss)
        theirs.owner, manager.above = manager, theirs
        core.set_boss(theirs, boss.core.name, lower, upper)
        self._grow(manager, tree)
        core.outbox.append(Send(theirs, Started(core.total_workers, core.name, 0), ()))
        manager.perform()
        link = Link(mine, core.name)
        boss.core.add_employee(Employee(link, core.name, "manager", lower, upper, 0, core.total_workers))
        boss.perform()
        return manager

    def connect(self, boss: SimManager) -> tuple[Pipe, Pipe]:
        mine, theirs = Pipe(boss), Pipe(boss)
        mine.other, theirs.other = theirs, mine
        return mine, theirs

    # -- time and mail -------------------------------------------------------------------------------------------

    def at(self, delay_s: float, call: Callable[..., None], *args: object) -> None:
        self._at(self.now + delay_s, call, *args)

    def _at(self, time: float, call: Callable[..., None], *args: object) -> None:
        heapq.heappush(self._heap, (time, next(self._order), call, args))

    def send(self, sends: Sequence[Send]) -> None:
        frames: dict[Pipe, Frame] = {}
        for conn, message, parts in sends:
            if isinstance(conn, Pipe):
                self.messages += 1
                frames.setdefault(conn, []).append((message, parts))
            else:
                self._tell_client(message, parts)
        for pipe, frame in frames.items():
            delay = self.latency_s * (self.rng.uniform(0.3, 2.0) if self.jitter else 1.0)
            pipe.last = max(pipe.last, self.now + delay)
            owner = pipe.other.owner
            if isinstance(owner, SimWorker):
                owner.mail_sent += len(frame)
            self._at(pipe.last, self._deliver, pipe.other, frame)

    def _deliver(self, pipe: Pipe, frame: Frame) -> None:
        if not pipe.owner.dead and not pipe.closed:
            pipe.owner.on_mail(pipe, frame)

    def run(self, until: Callable[[], bool] = lambda: False, within_s: float = 1e9) -> None:
        heap = self._heap
        while heap and not until():
            self.now, _, call, args = heapq.heappop(heap)
            assert self.now < within_s, "it does not end"
            call(*args)

    # -- the client ----------------------------------------------------------------------------------------------

    def submit(self, items: Sequence[Script], request: int = 1, timeout_s: float | None = None) -> JobId:
        for item in items:
            self.monitor.learn(item, self.scripts, alone=len(items) == 1)
        options = Options(crash_limit=10**6, timeout_s=timeout_s)
        spec = TaskSpec(JobId(0), DIGESTS[0], "f", 0, options, DIGESTS[1:])
        parts = [b"code"] * 3 + [str(item.number).encode() for item in items]
        self.books.now = self.now
        message = SubmitJob(request, spec, 3, True, [len(part) for part in parts])
        job = self.books.submit_job(message, parts)
        self.jobs[job] = list(items)
        self.server.perform()
        return job

    def cancel(self, request: int = 1) -> None:
        self.books.jobs.cancel_job(CLIENT, request)
        self.server.perform()

    def _tell_client(self, message: Message, parts: Sequence[bytes]) -> None:
        if isinstance(message, JobOutcomes):
            for index, kind, part in zip(message.indices, message.kinds, parts, strict=True):
                assert self.jobs[message.job][index].number not in self.client_outcomes, "told twice"
                self.client_outcomes[self.jobs[message.job][index].number] = kind
                self.monitor.settled(self.jobs[message.job][index], kind, int(part or b"0"))
        elif isinstance(message, JobEnded):
            self.ended_jobs.append(message.job)

    # -- faults --------------------------------------------------------------------------------------------------

    def kill(self, worker: SimWorker, replace_after_s: float | None = 1e-3) -> None:
        if worker.dead:
            return
        root = worker.die()
        self.workers.remove(worker)
        self.dead.append(worker)
        crash = msgspec.msgpack.encode(Crash(f"w{worker.core.node_id}"))
        self.at(self.rng.uniform(0, 1e-3), self._exited, worker, root and Loss(root, True, crash), replace_after_s)

    def _exited(self, worker: SimWorker, blame: Loss | None, replace_after_s: float | None) -> None:
        boss = worker.boss
        if boss.dead:
            return
        del boss.watches[worker]
        self._disconnect(boss, worker.pipe.other, blame)
        if replace_after_s is not None:
            self.at(replace_after_s, lambda: None if boss.dead else (boss.add_worker(), None)[1])

    def kill_manager(self, manager: SimManager) -> None:
        """A manager vanishes, and with it all that is below it; its boss learns of it a little later."""
        for below in [*manager.managers]:
            if not below.dead:
                self.kill_manager(below)
        for worker in list(manager.watches):
            if not worker.dead:
                worker.die()
                self.workers.remove(worker)
        manager.dead = True
        self.managers.remove(manager)
        self.dead.append(manager)
        assert manager.above is not None
        boss = manager.above.other.owner
        self.at(self.rng.uniform(0, 1e-3), self._disconnect, boss, manager.above.other, None)

    def _disconnect(self, boss: SimManager, conn: Pipe, blame: Loss | None) -> None:
        conn.closed = True
        if not boss.dead:
            boss.core.now = self.now
            boss.core.handle_disconnect(conn, blame)
            boss.perform()
