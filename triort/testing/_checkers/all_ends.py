"""Whatever begins has ended when all is at rest: each job at its client, each function, each wait for an outcome.

Unless whoever would see the end is gone: a client that has died, a worker that was killed. A client whose link has
broken may have lost it for good: it is told the end of its jobs, and nothing of their items any more.
"""

from __future__ import annotations

from triort.testing._events import Event, Kind
from triort.testing._plan.names import is_client
from triort.testing._run import Checker, World

SHOWN_MAX = 5


class AllEnds(Checker):
    """Holds at rest."""

    name = "all_ends"
    kinds = frozenset({Kind.SUBMIT, Kind.SETTLE, Kind.START, Kind.END, Kind.JOB, Kind.DIED, Kind.BREAK, Kind.CLOSE})

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        self._waits: dict[str, dict[str, None]] = {}
        """By node: what was submitted there and has no outcome yet."""
        self._running: dict[str, dict[int, str]] = {}
        self._jobs = {job.name: job.client for job in world.plan.jobs}
        self._all_jobs = list(self._jobs)
        self._lost_clients: set[str] = set()
        self._broken: set[str] = set()
        """Whose connections have broken, at one time or another."""

    def see(self, event: Event) -> None:
        """Enter what begins, and take out what ends."""
        match event.kind:
            case Kind.SUBMIT if event.node not in self._lost_clients:
                self._waits.setdefault(event.node, {})[event.what] = None
            case Kind.SETTLE:
                self._waits.get(event.node, {}).pop(event.what, None)
            case Kind.START:
                self._running.setdefault(event.node, {})[event.number] = event.what
            case Kind.END:
                self._running.get(event.node, {}).pop(event.number, None)
            case Kind.JOB:
                self._end_job(event)
            case Kind.DIED:
                self._drop(event.node)
            case Kind.BREAK | Kind.CLOSE:
                for client in filter(is_client, (event.node, event.peer)):
                    self._broken.add(client)
                    self._forget(client, {job for job in self._all_jobs if job not in self._jobs})

    def at_rest(self) -> None:
        """Nothing is left."""
        jobs = [job for job, client in self._jobs.items() if client not in self._lost_clients]
        if jobs:
            self.fail(f"all is at rest, and {_some(jobs)} never ended at their clients")
        running = [f"{task} on {node}" for node, tasks in self._running.items() for task in tasks.values()]
        if running:
            self.fail(f"all is at rest, and still run: {_some(running)}")
        waits = [f"{task} on {node}" for node, tasks in self._waits.items() for task in tasks]
        if waits:
            self.fail(f"all is at rest, and have no outcome at their parents: {_some(waits)}")

    def _end_job(self, event: Event) -> None:
        if self._jobs.pop(event.what, None) is None and event.what in {job.name for job in self.world.plan.jobs}:
            self.fail(f"job {event.what} has ended at {event.node} a second time ({event.detail})")
        if event.node in self._broken and not event.detail.startswith("value"):
            self._forget(event.node, {event.what})

    def _forget(self, client: str, jobs: set[str]) -> None:
        """Nobody will tell this client of the items of these jobs."""
        waits = self._waits.get(client, {})
        for task in [task for task in waits if task.partition(".")[0] in jobs]:
            del waits[task]

    def _drop(self, node: str) -> None:
        self._waits.pop(node, None)
        self._running.pop(node, None)
        if is_client(node):
            self._lost_clients.add(node)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN_MAX} more" if len(names) > SHOWN_MAX else ""
    return ", ".join(names[:SHOWN_MAX]) + more
