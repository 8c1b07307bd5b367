"""A cancel is final: an attempt that a worker has been told to stop does not start there any more."""

from __future__ import annotations

from triort.testing._events import Event, Kind
from triort.testing._run import Checker, World


class CancelIsFinal(Checker):
    """Holds for each attempt on each worker; what is cancelled and runs again does so as another attempt."""

    name = "cancel_is_final"
    kinds = frozenset({Kind.CANCELLED, Kind.START, Kind.DIED})

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        self._cancelled: dict[str, set[int]] = {}

    def see(self, event: Event) -> None:
        """Compare starts with the cancels that were read before."""
        match event.kind:
            case Kind.CANCELLED:
                self._cancelled.setdefault(event.node, set()).add(event.number)
            case Kind.START:
                if event.number in self._cancelled.get(event.node, ()):
                    self.fail(f"{event.what} starts on {event.node} after its cancel was read there")
            case Kind.DIED:
                self._cancelled.pop(event.node, None)
