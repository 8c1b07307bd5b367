"""A link between machines breaks and ends only where something has befallen it: hearts beat, and are heard.

While there are jobs nothing breaks in plans without faults of links, machines and clocks; and nothing ends where links
break but for a moment.
"""

from __future__ import annotations

from triort.testing._events import Event, Kind
from triort.testing._plan.names import is_worker
from triort.testing._plan.plan import FaultKind
from triort.testing._run import Checker, World

HARMLESS = frozenset({
    FaultKind.CRASH_WORKER, FaultKind.JOIN_WORKER, FaultKind.CANCEL_JOB, FaultKind.CANCEL_STORM, FaultKind.CANCEL_RACE,
})  # fmt: skip
MOMENTARY = frozenset({
    FaultKind.CLOSE, FaultKind.CUT, FaultKind.HALF_OPEN, FaultKind.VANISH, FaultKind.CLOG, FaultKind.ONE_WAY,
})  # fmt: skip
MOMENT_S = 3.0
CLOSED = "closed"


class LinksLast(Checker):
    """Holds for links of managers and clients."""

    name = "links_last"
    kinds = frozenset({Kind.BREAK, Kind.CLOSE, Kind.JOB})

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        others = [fault for fault in world.plan.faults if fault.kind not in HARMLESS and not is_worker(fault.target)]
        self._may_break = bool(others)
        self._may_end = any(fault.kind not in MOMENTARY or fault.for_s > MOMENT_S for fault in others)
        self._jobs = {job.name: job.client for job in world.plan.jobs}

    def see(self, event: Event) -> None:
        """Look at what breaks and ends."""
        if event.kind is Kind.JOB:
            self._jobs.pop(event.what, None)
            return
        if event.kind is Kind.CLOSE and event.detail.endswith(CLOSED):  # somebody has ended it in order
            return
        ends = {event.node, event.peer}
        is_over = not self._jobs or (any(end.startswith("c") for end in ends) and not ends & {*self._jobs.values()})
        is_allowed = self._may_end if event.kind is Kind.CLOSE else self._may_break
        if not (is_allowed or is_over or is_worker(event.node) or is_worker(event.peer)):
            self.fail(f"the link of {event.node} to {event.peer} has ended ({event.detail}) for no reason")
