"""What must hold in the model cluster at every step and at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests._core.scripts import CANCELLED, Batch, Script, fates

if TYPE_CHECKING:
    from tests._core.cluster import Cluster
    from tests._core.cluster_worker import SimWorker
    from triort._core.attempts import Attempt
    from triort._core.links import Link

CHECK_S = 1e-3
STARVING_S = 0.04


class Monitor:
    """Told of every start, end and outcome."""

    def __init__(self) -> None:
        self.fates: dict[int, set[tuple[int, int]]] = {}
        self.outcomes: dict[int, tuple[int, int]] = {}
        self.starts = 0

    def learn(self, root: Script, scripts: dict[int, Script], *, alone: bool) -> None:
        root.fragile = root.fragile or not alone
        self.fates.update(fates(root))
        stack = [root]
        while stack:
            script = stack.pop()
            scripts[script.number] = script
            for step in script.steps:
                if isinstance(step, Batch):
                    stack += step.children

    def started(self, script: Script) -> None:
        assert script.alive == 0, f"task {script.number} starts while an attempt of it, or its children, still run"
        self.starts += 1
        self._count(script, 1)

    def ended(self, script: Script) -> None:
        self._count(script, -1)

    def settled(self, script: Script, kind: int, value: int, *, doomed: bool = False) -> None:
        """The outcome of a task at its parent, who is itself cancelled if ``doomed``."""
        assert script.alive == 0, f"task {script.number} has its outcome and something of it still runs"
        fits = (kind, value) in self.fates[script.number] or (doomed and kind == CANCELLED)
        assert fits, f"task {script.number} ended as {kind, value}"
        self.outcomes[script.number] = (kind, value)

    def _count(self, script: Script | None, by: int) -> None:
        while script is not None:
            script.alive += by
            assert script.alive >= 0
            script = script.parent


def leftovers(cluster: Cluster) -> list[str]:
    """What is still in the books of a cluster that has come to rest; must be nothing."""
    found: list[str] = []
    for manager in cluster.managers:
        core = manager.core
        links = [employee.link for employee in core.employees] + ([core.boss] if core.boss else [])
        for link in links:
            found += _of_link(f"{core.name}/{link.name}", link)
        tables = {
            "backlog": list(core.backlog), "blobs": core.hops.blobs, "status": core.status_desk.rounds,
        }  # fmt: skip
        found += [f"{core.name}: {name} {table}" for name, table in tables.items() if table]
        for employee in core.employees:
            counts = (employee.num_tasks, employee.backlog, employee.num_idle_workers)
            if counts != (0, 0, employee.num_workers):
                found.append(f"{core.name}/{employee.name}: tasks, backlog, idle {counts} of {employee.num_workers}")
    for worker in cluster.workers:
        found += _of_worker(worker)
    if cluster.books.open_jobs():
        found.append("open jobs")
    return found


def _of_link(name: str, link: Link) -> list[str]:
    tables = {
        "received": link.received, "sent": link.sent, "cancelling": link.cancelling, "known": link.known,
        "unread": link.unread, "queued": link.queued or link.queued_us, "waiting": link.waiting,
    }  # fmt: skip
    return [f"{name}: {key} {table}" for key, table in tables.items() if table]


def _of_worker(worker: SimWorker) -> list[str]:
    core = worker.core
    tables = {
        "running": core.running, "children": core.children, "backlog": list(core.backlog), "occupied": core.occupied,
        "blobs": core.hops.blobs, "steps": worker.steps, "deadlines": core.next_deadline(),
    }  # fmt: skip
    name = f"worker {core.node_id}"
    return [f"{name}: {key} {table}" for key, table in tables.items() if table] + _of_link(name, core.boss)


class Starvation:
    """Fails when a worker stays idle and a task unstarted in the same place for longer than `STARVING_S`."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.idle: dict[SimWorker, float] = {}
        self.queued: dict[Attempt, float] = {}
        cluster.at(CHECK_S, self.look)

    def look(self) -> None:
        cluster, now = self.cluster, self.cluster.now
        idle = {w: max(self.idle.get(w, now), w.worked_at) for w in cluster.workers if w.idle}
        places = [manager.core.backlog for manager in cluster.managers]
        places += [worker.core.backlog for worker in cluster.workers]
        queued = {attempt: self.queued.get(attempt, now) for backlog in places for attempt in backlog}
        self.idle, self.queued = idle, queued
        if idle and queued:
            wait = min(now - min(idle.values()), now - min(queued.values()))
            assert wait < STARVING_S, f"a worker is idle and a task queued for {wait} s at {now}"
        if cluster.books.open_jobs():
            cluster.at(CHECK_S, self.look)
