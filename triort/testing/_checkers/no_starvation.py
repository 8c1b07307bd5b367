"""No worker stays idle while a task waits unstarted, but for as long as it takes to bring the two together.

While faults are about, and a while after them, nothing is expected. What waits behind an async task that holds the slot
of its worker does not count either: the boss sees nothing of such a task, and recalls nothing from behind it.
"""

from __future__ import annotations

from collections import Counter

from triort._model.ids import Address
from triort.testing._checkers.books import crossing_s, end_of_trouble
from triort.testing._events import Event, Kind
from triort.testing._plan.walk import all_tasks
from triort.testing._run import Checker, World

STARVING_S = 0.04
CROSSINGS = 6
CALM_S = 2.5
"""After the last fault: workers that are replaced slowly are back."""


class NoStarvation(Checker):
    """Holds whenever no fault is about."""

    name = "no_starvation"
    kinds = frozenset({Kind.START, Kind.END})

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        plan = world.plan
        self._bound_s = STARVING_S + CROSSINGS * crossing_s(plan)
        self._calm_s = end_of_trouble(plan) + CALM_S if plan.faults else 0.0
        self._idle: dict[str, float] = {}
        self._queued: dict[Address, float] = {}
        self._is_async = {task.name: task.is_async for task in all_tasks(plan)}
        self._async_tasks: Counter[str] = Counter()
        """How many async tasks each worker has started that are not over."""

    def see(self, event: Event) -> None:
        """Who starts something is not idle; and count started async tasks."""
        if event.kind is Kind.START:
            self._idle.pop(event.node, None)
        if self._is_async.get(event.what):
            self._async_tasks[event.node] += 1 if event.kind is Kind.START else -1

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
        places += [core.backlog for name, core in world.workers.items() if not self._async_tasks[name]]
        waiting = [attempt.address for backlog in places for attempt in backlog]
        self._queued = {address: self._queued.get(address, now) for address in waiting}
        if self._queued:
            wait_s = min(now - min(self._idle.values()), now - min(self._queued.values()))
            if wait_s > self._bound_s:
                name = min(self._idle, key=lambda each: (self._idle[each], each))
                self.fail(f"{name} is idle and a task waits unstarted, both for {wait_s:.3f} s")
