"""No task starts whose deadline has passed: it is out of time without a start."""

from __future__ import annotations

from triort._model.ids import Address
from triort.testing._checkers.books import CLOCKS, HOLDS
from triort.testing._events import Event, Kind
from triort.testing._run import Checker, World

LATE_S = 0.005
"""So much may lie between the choice of a task and its start."""


class StartsInTime(Checker):
    """Holds whenever a task starts, unless clocks or pauses are among the faults."""

    name = "starts_in_time"
    kinds = frozenset({Kind.START})

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        self._is_off = any(fault.kind in CLOCKS | HOLDS for fault in world.plan.faults)

    def see(self, event: Event) -> None:
        """Compare its deadline with its worker's clock."""
        core = self.world.workers.get(event.node)
        running = core.running.get(Address(event.number)) if core is not None else None
        if self._is_off or core is None or running is None or running.attempt.deadline is None:
            return
        late_s = core.now - running.attempt.deadline
        if late_s > LATE_S:
            self.fail(f"{event.what} starts on {event.node}, {late_s:.3f} s after its deadline")
