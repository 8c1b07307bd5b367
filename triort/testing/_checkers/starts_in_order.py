"""A worker starts the most urgent of its tasks: by priority, then the deepest."""

from __future__ import annotations

from triort._core.attempts import Attempt
from triort._model.ids import Address
from triort.testing._events import Event, Kind
from triort.testing._run import Checker

WAITING_MAX = 500
"""In longer queues nobody looks."""


class StartsInOrder(Checker):
    """Holds whenever a task starts; not in tier 2, where an async task is chosen before its first step, and more urgent
    ones may come in between."""

    name = "starts_in_order"
    kinds = frozenset({Kind.START})
    tiers = (1,)

    def see(self, event: Event) -> None:
        """Compare it with those that still wait there."""
        core = self.world.workers.get(event.node)
        running = core.running.get(Address(event.number)) if core is not None else None
        if core is None or running is None or len(core.backlog) > WAITING_MAX:
            return
        mine = _rank(running.attempt)
        for attempt in core.backlog:
            if _rank(attempt) > mine:
                text = f"{event.what} starts on {event.node} with priority and depth {mine}"
                self.fail(f"{text}, and a task of {_rank(attempt)} waits there")


def _rank(attempt: Attempt) -> tuple[int, int]:
    return attempt.spec.options.priority, attempt.spec.depth
