"""No worker stays idle while a task waits unstarted, but for as long as it takes to bring the two together.

While faults are about, and a while after them, nothing is expected.
"""

from __future__ import annotations

from triort._model.ids import Address
from triort.testing._checkers.books import crossing_s, end_of_trouble
from triort.testing._events import Event, Kind
from triort.testing._run import Checker, World

STARVING_S = 0.04
CROSSINGS = 6
CALM_S = 2.5
"""After the last fault: workers that are replaced slowly are back."""


class NoStarvation(Checker):
    """Holds whenever no fault is about."""

    name = "no_starvation"
    kinds = frozenset({Kind.START})

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        plan = world.plan
        self._bound_s = STARVING_S + CROSSINGS * crossing_s(plan)
        self._calm_s = end_of_trouble(plan) + CALM_S if plan.faults else 0.0
        self._idle: dict[str, float] = {}
        self._queued: dict[Address, float] = {}

    def see(self, event: Event) -> None:
        """Who starts something is not idle."""
        self._idle.pop(event.node, None)

    def look(self) -> None:
        """Who is idle, what waits, and since when."""
        world, now = self.world, self.world.now
        if now < self._calm_s:
            return
        extra = {each.name for core in world.nodes.values() for each in core.employees if each.is_extra}
        idle = [name for name, core in world.workers.items() if not (core.occupied or core.backlog or name in extra)]
        if not idle:
            self._idle.clear()
            self._queued.clear()
            return
        self._idle = {name: self._idle.get(name, now) for name in idle}
        places = [core.backlog for core in world.nodes.values()]
        places += [core.backlog for core in world.workers.values()]
        waiting = [attempt.address for backlog in places for attempt in backlog]
        self._queued = {address: self._queued.get(address, now) for address in waiting}
        if self._queued:
            wait_s = min(now - min(self._idle.values()), now - min(self._queued.values()))
            if wait_s > self._bound_s:
                name = min(self._idle, key=lambda each: (self._idle[each], each))
                self.fail(f"{name} is idle and a task waits unstarted, both for {wait_s:.3f} s")
