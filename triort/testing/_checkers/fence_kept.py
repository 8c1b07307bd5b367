"""When a boss gives up a manager that it has not heard for too long, the manager has ended all work below it before.

The boss has that work done elsewhere from then on. Holds where clocks are right. That a manager has died is known
sooner, as long as its machine can be reached.
"""

from __future__ import annotations

from triort._model.limits import GRACE_S
from triort.testing._checkers.books import CLOCKS, may_part
from triort.testing._events import Event, Kind
from triort.testing._plan.names import boss_of, is_manager
from triort.testing._plan.plan import FaultKind
from triort.testing._run import Checker, World

BY_TIME = "heard for"
"""What the end of a link says that is over by time."""
TOLD = "has ended the link"
"""What it says where the other side has told so."""


class FenceKept(Checker):
    """Holds for links of managers."""

    name = "fence_kept"
    kinds = frozenset({Kind.OPEN, Kind.CLOSE, Kind.DIED})

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        self._is_off = any(fault.kind in CLOCKS for fault in world.plan.faults)
        self._may_part = any(may_part(each) and each.kind is not FaultKind.CRASH_MANAGER for each in world.plan.faults)
        self._died: set[str] = set()
        self._stopped: dict[str, float] = {}
        """Managers that have given up their boss, or died, and when."""

    def see(self, event: Event) -> None:
        """Who has stopped, and who is given up."""
        match event.kind:
            case Kind.OPEN:
                self._stopped.pop(event.node, None)
            case Kind.DIED:
                self._stopped[event.node] = -GRACE_S
                self._died.add(event.node)
            case Kind.CLOSE if boss_of(event.node) == event.peer:
                self._stopped.setdefault(event.node, event.time_s)
            case Kind.CLOSE if is_manager(event.peer) and BY_TIME in event.detail and TOLD not in event.detail:
                if self._is_off:
                    return
                if event.peer in self._died and not self._may_part:
                    self.fail(f"{event.node} gives {event.peer} up by time, which has died: nobody listens there")
                since = self._stopped.get(event.peer)
                if since is None or event.time_s < since + GRACE_S:
                    done = "goes on" if since is None else f"has stopped {event.time_s - since:.3f} s before"
                    self.fail(f"{event.node} gives {event.peer} up, which {done}")
