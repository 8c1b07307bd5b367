"""Who owns a task that is out of time cancels it, soon: the server its jobs, a worker the children of its tasks.

A worker that is fenced off is poked by nobody any more; what it has, children too, ends with it.
"""

from __future__ import annotations

from triort._core.server_core import ServerCore
from triort._model.ids import show_address
from triort.testing._checkers.books import CLOCKS, HOLDS
from triort.testing._checkers.task_tree import Fences
from triort.testing._events import Event
from triort.testing._run import Checker, World

LATE_S = 0.2
"""A worker whose CPU is held learns of it when it is poked."""


class DeadlinesHeeded(Checker):
    """Holds for all that is open, unless clocks or pauses are among the faults."""

    name = "deadlines_heeded"
    kinds = Fences.kinds

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        self._is_off = any(fault.kind in CLOCKS | HOLDS for fault in world.plan.faults)
        self._fences = Fences()

    def see(self, event: Event) -> None:
        """A link has begun or ended, or a node."""
        self._fences.see(event)

    def look(self) -> None:
        """Is anything out of time and not cancelled?"""
        if self._is_off:
            return
        for name, core in self.world.nodes.items():
            if isinstance(core, ServerCore):
                for job in core.jobs.jobs.values():
                    self._check(f"{name}: job {job.id}", job.deadline, job.cancelled)
        for name, worker in self.world.workers.items():
            if self._fences.is_fenced(name):
                continue
            for address, child in worker.children.items():
                self._check(f"{name}: child {show_address(address)}", child.attempt.deadline, child.cancelled)

    def _check(self, what: str, deadline_s: float | None, is_cancelled: bool) -> None:
        if deadline_s is not None and not is_cancelled and self.world.now > deadline_s + LATE_S:
            self.fail(f"{what} is out of time for {self.world.now - deadline_s:.3f} s, and not cancelled")
