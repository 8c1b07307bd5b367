"""Every cancel is answered: soon where the task obeys, else when its grace time, and that of all below it, is over."""

from __future__ import annotations

from triort._model.ids import Address, show_address
from triort._model.limits import STOP_S
from triort.testing._checkers.books import answer_s, is_untimely, links_of
from triort.testing._plan.plan import FaultKind
from triort.testing._run import Checker, World

CRASHES = frozenset({FaultKind.CRASH_MANAGER, FaultKind.CRASH_SERVER})
"""Who has lost a boss that does not dial again knows it when its time is over."""


class CancelsAnswered(Checker):
    """Holds for each cancel on each link, unless clocks or pauses are among the faults."""

    name = "cancels_answered"

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        self._is_off = is_untimely(world.plan)
        is_left_alone = any(fault.kind in CRASHES for fault in world.plan.faults)
        self._bound_s = answer_s(world.plan) + (STOP_S if is_left_alone else 0.0)
        self._since: dict[tuple[str, str, Address], float] = {}

    def look(self) -> None:
        """Which cancels are open, and since when."""
        if self._is_off:
            return
        now, since = self.world.now, {}
        links = [(name, link) for name, core in self.world.nodes.items() for link in links_of(core)]
        links += [(name, core.boss) for name, core in self.world.workers.items()]
        for name, link in links:
            for address in link.cancelling & link.sent.keys():
                key = (name, link.name, address)
                since[key] = self._since.get(key, now)
                if now - since[key] > self._bound_s:
                    text = f"for {now - since[key]:.3f} s"
                    self.fail(f"{name}: {link.name} has not answered the cancel of {show_address(address)} {text}")
        self._since = since
