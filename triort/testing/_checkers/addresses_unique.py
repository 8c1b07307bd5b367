"""An address names one attempt of one task and is never used again: it starts once, on one worker."""

from __future__ import annotations

from triort._model.ids import Address, owner_of, show_address
from triort.testing._events import Event, Kind
from triort.testing._plan.plan import FaultKind
from triort.testing._run import Checker, World


class AddressesUnique(Checker):
    """Holds whenever a task starts, wherever that is, unless the server is started again and counts anew."""

    name = "addresses_unique"
    kinds = frozenset({Kind.START})

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        self._is_again = any(fault.kind is FaultKind.CRASH_SERVER for fault in world.plan.faults)
        self._is_off = self._is_again and not world.plan.journal
        self._started: dict[int, str] = {}

    def see(self, event: Event) -> None:
        """Compare it with all that have started."""
        if self._is_off or (self._is_again and owner_of(Address(event.number))):
            return
        if event.number in self._started:
            text = f"{event.what} starts on {event.node} as {show_address(Address(event.number))}"
            self.fail(f"{text}, and so has {self._started[event.number]} before")
        self._started[event.number] = f"{event.what} on {event.node}"
