"""What is sent over a link arrives in the order in which it was sent, each frame once, none left out.

A link may end and take the last frames with it. The next one of its name may be opened before its frames have come, so
frames are numbered in a span for each. Those whose name may stand for two links at a time (a second client under the
name of another, a manager that comes back) are left out.
"""

from __future__ import annotations

from collections import deque

from triort.testing._events import FRAMES_SPAN, Event, Kind
from triort.testing._plan.plan import FaultKind
from triort.testing._run import Checker, World

TWOFOLD = frozenset({FaultKind.DUPLICATE_CLIENT, FaultKind.STALE_INCARNATION})


class OncePerLink(Checker):
    """Holds for each direction of each link."""

    name = "once_per_link"
    kinds = frozenset({Kind.SEND, Kind.DELIVER})

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        self._under_way: dict[tuple[str, str, int], deque[int]] = {}
        self._twofold = {fault.target for fault in world.plan.faults if fault.kind in TWOFOLD}

    def see(self, event: Event) -> None:
        """Follow the frames of each direction."""
        if event.node in self._twofold or event.peer in self._twofold:
            return
        match event.kind:
            case Kind.SEND:
                frames = self._under_way.setdefault((event.node, event.peer, event.number // FRAMES_SPAN), deque())
                if not frames or frames[-1] != event.number:  # one event for each message, or for each frame
                    frames.append(event.number)
            case Kind.DELIVER:
                self._check(event, self._under_way.get((event.peer, event.node, event.number // FRAMES_SPAN)))

    def _check(self, event: Event, frames: deque[int] | None) -> None:
        if not frames or event.number not in frames:
            self.fail(f"{event.node} got frame {event.number} of {event.peer} again, or it was never sent")
        elif frames[0] != event.number:
            self.fail(f"{event.node} got frame {event.number} of {event.peer} before frame {frames[0]}")
        else:
            frames.popleft()
