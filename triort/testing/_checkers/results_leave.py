"""Outcomes do not wait at a worker: if its CPU is held, its boss pokes it, and they leave."""

from __future__ import annotations

from triort.testing._checkers.books import CLOCKS, HOLDS
from triort.testing._run import Checker, World

WAIT_S = 0.1


class ResultsLeave(Checker):
    """Holds for each worker, unless clocks or pauses are among the faults."""

    name = "results_leave"

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        self._is_off = any(fault.kind in CLOCKS | HOLDS for fault in world.plan.faults)
        self._since: dict[str, tuple[float, int]] = {}

    def look(self) -> None:
        """Who has outcomes, and since when the first of them."""
        if self._is_off:
            return
        now = self.world.now
        since: dict[str, tuple[float, int]] = {}
        for name, core in self.world.workers.items():
            if core.boss.out_results:
                first = core.boss.out_results[0].address
                before = self._since.get(name)
                since[name] = before if before is not None and before[1] == first else (now, first)
                wait_s = now - since[name][0]
                if wait_s > WAIT_S:
                    self.fail(f"{name} has had {len(core.boss.out_results)} outcomes to send for {wait_s:.3f} s")
        self._since = since
