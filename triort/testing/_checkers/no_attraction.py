"""A manager without workers gets no work, and what it has goes back: it could only keep it from others."""

from __future__ import annotations

from triort.testing._checkers.books import SETTLED_S, crossing_s, may_part
from triort.testing._run import Checker, World

RETURN_S = 0.05
CROSSINGS = 3


class NoAttraction(Checker):
    """Holds a little after a boss has heard that an employee has no workers left."""

    name = "no_attraction"

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        plan = world.plan
        held_s = sum(fault.for_s + (SETTLED_S if may_part(fault) else 0.0) for fault in plan.faults)
        self._bound_s = RETURN_S + CROSSINGS * crossing_s(plan) + held_s
        self._since: dict[str, float] = {}

    def look(self) -> None:
        """Who has tasks and no workers, and since when: it may have had one for a moment, between two looks."""
        now = self.world.now
        empty = {}
        for core in self.world.nodes.values():
            for employee in core.employees:
                held = [attempt for attempt in employee.link.sent.values() if not attempt.alone]
                if held and not employee.num_workers and not employee.is_extra:
                    since = empty[employee.name] = self._since.get(employee.name, now)
                    if now - since > self._bound_s:
                        text = f"{len(held)} tasks are with {employee.name}"
                        self.fail(f"{text}, which has had no workers for {now - since:.3f} s")
        self._since = empty
