"""A cancelled task ends soon, and one that ignores its cancel costs its worker when its time of grace is over.

Looked at are tasks without children: they hold the CPU, or their slot, from their start to their end. A worker whose
boss has left it has a while to end, whatever the time of grace was.
"""

from __future__ import annotations

from triort._model.limits import GRACE_S, SHUTDOWN_WORKERS_S
from triort.testing._checkers.books import crossing_s, is_untimely
from triort.testing._events import Event, Kind
from triort.testing._plan.names import boss_of
from triort.testing._plan.walk import all_tasks, batches_of
from triort.testing._run import Checker, World

LATE_S = 0.5
HEED_S = 0.2
"""A task that heeds its cancel ends so soon: its boss pokes it if it holds the CPU."""


class GraceKept(Checker):
    """Holds for each cancel that comes to a worker while its task runs, unless clocks or pauses are among faults."""

    name = "grace_kept"
    kinds = frozenset({Kind.START, Kind.END, Kind.CANCELLED, Kind.CLOSE, Kind.DIED})

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        self._is_off = is_untimely(world.plan)
        self._limits_s = {
            task.name: GRACE_S + LATE_S if task.stubborn else HEED_S + crossing_s(world.plan)
            for task in all_tasks(world.plan) if not list(batches_of(task))
        }  # fmt: skip
        self._running: dict[tuple[str, int], str] = {}
        self._due: dict[tuple[str, int], float] = {}

    def see(self, event: Event) -> None:
        """Note what runs, and what is to end."""
        key = (event.node, event.number)
        match event.kind:
            case Kind.START if event.what in self._limits_s:
                self._running[key] = event.what
            case Kind.END:
                self._running.pop(key, None)
                self._due.pop(key, None)
            case Kind.CANCELLED if key in self._running:
                self._due.setdefault(key, event.time_s + self._limits_s[self._running[key]])
            case Kind.CLOSE:
                worker = event.node if boss_of(event.node) == event.peer else event.peer
                end_s = event.time_s + SHUTDOWN_WORKERS_S + LATE_S
                self._due = {
                    each: max(due_s, end_s) if each[0] == worker else due_s for each, due_s in self._due.items()
                }
            case Kind.DIED:
                self._running = {each: task for each, task in self._running.items() if each[0] != event.node}
                self._due = {each: due_s for each, due_s in self._due.items() if each[0] != event.node}

    def look(self) -> None:
        """Is anything overdue?"""
        if self._is_off:
            return
        for key, due_s in self._due.items():
            if self.world.now > due_s:
                self.fail(f"{self._running[key]} was cancelled on {key[0]}, and runs on for too long")
