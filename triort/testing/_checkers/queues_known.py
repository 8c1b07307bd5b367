"""What waits at a worker counts as queued at its boss, who gives it more only within its credit."""

from __future__ import annotations

from triort._core.worker_core import WorkerCore
from triort._model.ids import show_address
from triort.testing._checkers.books import pairs
from triort.testing._run import Checker, World


class QueuesKnown(Checker):
    """Holds for every worker that its boss has in its books, unless a fault has made them differ for good."""

    name = "queues_known"

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)

    def look(self) -> None:
        """Whatever a worker was given and has not started is in a batch that its boss takes for unread."""
        for name, employee, peer, above in pairs(self.world):
            if not isinstance(peer, WorkerCore):
                continue
            for attempt in peer.backlog:
                sent = employee.link.sent.get(attempt.address) if attempt.origin is above else None
                if sent is not None and sent.batch not in employee.link.unread:
                    text = f"{show_address(attempt.address)} waits at {name}"
                    self.fail(f"{text}, and its boss believes that it has started")
