"""Every outcome is one that the sequential interpreter of the plan allows, at the moment at which it comes.

What the plan's load leaves open is in the oracle's sets. What faults do is seen as it happens: an outcome *cancelled*
that the load has no reason for is allowed for an item when its job has been stopped before, and for any other task when
its parent, or an ancestor of that on the same worker, has been told to stop there, or its worker is cut off. There
nobody is poked when a task is out of time, which may so return after all: where tasks may run out of time, what ends on
a worker that is cut off is not judged.
"""

from __future__ import annotations

from triort.testing._checkers.task_tree import Family, Fences, Place
from triort.testing._events import Event, Kind, Outcome
from triort.testing._plan.oracle import fates
from triort.testing._plan.plan import FaultKind
from triort.testing._plan.risks import stopped_by
from triort.testing._run import Checker, World

MISSED = "missed"


def parse_outcome(text: str) -> Outcome:
    """What `Outcome` shows, back."""
    kind, _, value = text.partition(" ")
    return Outcome(kind, int(value)) if value else Outcome(kind)


class AllowedOutcome(Checker):
    """Holds for all tasks that the plan knows."""

    name = "allowed_outcome"
    kinds = Fences.kinds | {Kind.START, Kind.CANCELLED, Kind.FAULT, Kind.SETTLE}

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        self._fates = fates(world.plan)
        self._fences = Fences()
        self._has_timeouts = any("timeout" in fate.kinds for fate in self._fates.values())
        self._family = Family(world.plan)
        self._latest: dict[tuple[str, str], int] = {}
        """The last attempt of each task on each worker."""
        self._told: set[Place] = set()
        """The attempts that were told to stop where they are."""
        self._stopped_jobs: set[str] = set()

    def see(self, event: Event) -> None:
        """Note what has been stopped, and look at outcomes."""
        match event.kind:
            case Kind.SETTLE:
                if event.what in self._fates:
                    self._check(event)
            case Kind.START:
                self._latest[event.node, event.what] = event.number
            case Kind.CANCELLED:
                self._told.add((event.node, event.number))
            case Kind.FAULT:
                if event.detail != MISSED:
                    self._stopped_jobs.update(stopped_by(FaultKind(event.what), event.node, self.world.plan))
            case _:
                self._fences.see(event)

    def _check(self, event: Event) -> None:
        if self._has_timeouts and self._fences.is_fenced(event.node):
            return
        fate, outcome = self._fates[event.what], parse_outcome(event.detail)
        if not fate.allows(outcome) and not (self._is_doomed(event) and fate.allows(outcome, doomed=True)):
            self.fail(f"{event.what} ended as {outcome} on {event.node}; it may end as: {fate}")

    def _is_doomed(self, event: Event) -> bool:
        parent = self._family.parents[event.what]
        if parent not in self._fates:
            return parent in self._stopped_jobs
        line = self._family.line_of(parent)
        told = any((event.node, self._latest.get((event.node, name), -1)) in self._told for name in line)
        return told or self._fences.is_fenced(event.node)
