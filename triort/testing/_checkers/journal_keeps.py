"""A server with a journal loses no job: a client that nothing has befallen hears of the end of each.

Holds where the server is away for less than the lease of clients, and its managers are there when it starts.
"""

from __future__ import annotations

from triort._model.limits import LEASE_S
from triort.testing._checkers.books import CLOCKS, HOLDS
from triort.testing._events import Event, Kind
from triort.testing._plan.names import is_worker
from triort.testing._plan.plan import FaultKind, Plan
from triort.testing._run import Checker, World

NOT_IN = "during the handshake"
"""What the end of a job says that was never submitted: the client had no link yet."""
HARMLESS = frozenset({
    FaultKind.CRASH_SERVER, FaultKind.JOIN_WORKER, FaultKind.JOIN_MANAGER, FaultKind.DUPLICATE_CLIENT,
    FaultKind.CANCEL_JOB, FaultKind.CANCEL_STORM, FaultKind.CANCEL_RACE,
})  # fmt: skip


class JournalKeeps(Checker):
    """Holds for all jobs of the plan."""

    name = "journal_keeps"
    kinds = frozenset({Kind.JOB})

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        self._is_off = not world.plan.journal or _is_hard(world.plan)

    def see(self, event: Event) -> None:
        """No job is lost."""
        if not self._is_off and event.detail.startswith("lost") and NOT_IN not in event.detail:
            self.fail(f"job {event.what} is lost at {event.node} ({event.detail}), and there is a journal")


def _is_hard(plan: Plan) -> bool:
    away_s = sum(fault.for_s or LEASE_S for fault in plan.faults if fault.kind is FaultKind.CRASH_SERVER)
    others = [fault for fault in plan.faults if fault.kind not in HARMLESS and not is_worker(fault.target)]
    return away_s > LEASE_S / 2 or any(fault.kind not in HOLDS - CLOCKS or fault.for_s > 1.0 for fault in others)
