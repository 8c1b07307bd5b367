"""No child outlives its parent: a task has its outcome, or starts again, only when nothing of it runs any more.

"Of it" are its former attempts and all descendants of these, wherever they run. Left out is what runs where nobody can
reach it: below a link that has ended. There it is fenced off, and ends with its node.
"""

from __future__ import annotations

from triort.testing._checkers.task_tree import Fences, Runs
from triort.testing._events import Event, Kind
from triort.testing._run import Checker, World

SHOWN_MAX = 3


class NoOrphans(Checker):
    """Holds at each start and each outcome that is not itself beyond a link that has ended."""

    name = "no_orphans"
    kinds = Fences.kinds | Runs.kinds | {Kind.SETTLE}

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        self._fences = Fences()
        self._runs = Runs(world.plan)

    def see(self, event: Event) -> None:
        """Look at what runs below the task, and note what begins and ends."""
        match event.kind:
            case Kind.SETTLE:
                self._check(event, f"has its outcome ({event.detail})")
            case Kind.START:
                self._check(event, "starts")
        self._runs.see(event)
        self._fences.see(event)

    def _check(self, event: Event, what: str) -> None:
        running = self._runs.below.get(event.what)
        if not running or self._fences.is_fenced(event.node):
            return
        left = [f"{task} on {node}" for (node, _), task in running.items() if not self._fences.is_fenced(node)]
        if left:
            more = f" and {len(left) - SHOWN_MAX} more" if len(left) > SHOWN_MAX else ""
            self.fail(f"{event.what} {what} on {event.node}, and of it still run {', '.join(left[:SHOWN_MAX])}{more}")
