"""No worker ends for nothing: where no fault ends any node and no task kills or ignores its cancel, all live on."""

from __future__ import annotations

from triort.testing._events import Event, Kind
from triort.testing._plan.names import is_worker
from triort.testing._plan.plan import FaultKind
from triort.testing._plan.walk import all_tasks
from triort.testing._run import Checker, World

HARMLESS = frozenset({
    FaultKind.JOIN_WORKER, FaultKind.JOIN_MANAGER, FaultKind.CLOCK_OFFSET, FaultKind.CANCEL_JOB,
    FaultKind.CANCEL_STORM, FaultKind.CANCEL_RACE, FaultKind.CLIENT_DEATH, FaultKind.DUPLICATE_CLIENT,
})  # fmt: skip
"""Faults that leave every node as it is."""


class NoRashKills(Checker):
    """Holds while jobs are open, in plans without such faults and tasks."""

    name = "no_rash_kills"
    kinds = frozenset({Kind.DIED, Kind.JOB})

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        plan = world.plan
        self._is_off = any(fault.kind not in HARMLESS for fault in plan.faults)
        self._is_off = self._is_off or any(task.poison or task.stubborn for task in all_tasks(plan))
        self._jobs = {job.name for job in plan.jobs}
        self._clients: dict[str, set[str]] = {}
        for job in plan.jobs:
            self._clients.setdefault(job.client, set()).add(job.name)

    def see(self, event: Event) -> None:
        """Does a worker end?"""
        if event.kind is Kind.JOB:
            self._jobs.discard(event.what)
        elif event.node in self._clients:
            self._jobs -= self._clients[event.node]  # nobody is told of their end
        elif self._jobs and not self._is_off and is_worker(event.node):
            self.fail(f"{event.node} has ended ({event.detail}), and nothing was to end it")
