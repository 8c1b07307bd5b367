"""A deadline goes with its task: whoever is given the task ends it at about the same time as who has submitted it.

It travels as the time that is left, so what holds up its message moves it: where connections are cut, a new one.
"""

from __future__ import annotations

from triort._core.links import Link
from triort._model.ids import show_address
from triort.testing._checkers.books import TROUBLE_S, crossing_s, is_untimely, pairs
from triort.testing._plan.plan import FaultKind
from triort.testing._run import Checker, World

EARLY_S = 1e-6
READ_S = 0.1
"""A worker whose CPU is held reads its mail when it is poked."""


class DeadlinesPassedOn(Checker):
    """Holds for each link that both ends have, unless clocks or pauses are among the faults."""

    name = "deadlines_passed_on"

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        self._is_off = is_untimely(world.plan)
        is_cut = any(fault.kind is FaultKind.CUT for fault in world.plan.faults)
        self._late_s = READ_S + crossing_s(world.plan) + (TROUBLE_S if is_cut else 0.0)

    def look(self) -> None:
        """Compare the two ends of each link."""
        if not self._is_off:
            for name, employee, _, above in pairs(self.world):
                self._compare(f"what {name} was given", employee.link, above)
                self._compare(f"what {name} has offered", above, employee.link)

    def _compare(self, what: str, sender: Link, receiver: Link) -> None:
        for address, attempt in receiver.received.items():
            sent = sender.sent.get(address)
            if sent is None:
                continue
            if sent.deadline is None or attempt.deadline is None:
                if sent.deadline is not attempt.deadline:
                    self.fail(f"{what}: {show_address(address)} has a deadline at one end of the link only")
            elif not -EARLY_S <= attempt.deadline - sent.deadline <= self._late_s:
                text = f"{sent.deadline:.6f} s where it comes from, and {attempt.deadline:.6f} s where it goes"
                self.fail(f"{what}: {show_address(address)} is to end at {text}")
