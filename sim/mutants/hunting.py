"""Looks for planted bugs: how many plans does it take until a check fails, and which one is it?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache

import attrs

from sim.mutants.load import numbers, plan_of
from sim.mutants.planting import Mutant
from triort.testing._plan.plan import Plan
from triort.testing._run import Run
from triort.testing._tier1.run import run_tier1
from triort.testing._tier2.run import run_tier2

PLANS_MAX = {1: 300, 2: 100}
"""Within so many plans each bug has to be found, by tier."""


@attrs.frozen
class Hunt:
    """How the hunt for one bug went."""

    mutant: Mutant
    plans: int
    """How many were run."""
    run: Run | None
    """The run that has failed; None if none has."""
    seconds: float

    @property
    def line(self) -> str:
        """The line about it in the table."""
        violation = self.run.violation if self.run is not None else None
        check = violation.check if violation is not None else "NOT FOUND"
        return f"{self.mutant.name:85} tier {self.mutant.tier}  {self.plans:4} plans  {self.seconds:5.1f} s  {check}"


def run_mutant(mutant: Mutant, plan: Plan) -> Run:
    """Run a plan in the bug's tier, with the bug planted."""
    with mutant.planted():
        return run_tier1(plan) if mutant.tier == 1 else run_tier2(plan)


@lru_cache(maxsize=1_000)
def fails_anyway(number: int, tier: int) -> bool:
    """Whether this plan fails without any planted bug, and so says nothing about one."""
    plan = plan_of(number)
    return (run_tier1(plan) if tier == 1 else run_tier2(plan)).violation is not None


def hunt(mutant: Mutant, plans_max: int | None = None) -> Hunt:
    """Run plans until one fails that passes without the bug."""
    most = PLANS_MAX[mutant.tier] if plans_max is None else plans_max
    start = time.perf_counter()
    for count, number in enumerate(numbers(most), 1):
        run = run_mutant(mutant, plan_of(number))
        if run.violation is not None and not fails_anyway(number, mutant.tier):
            return Hunt(mutant, count, run, time.perf_counter() - start)
    return Hunt(mutant, most, None, time.perf_counter() - start)


def table(hunts: Sequence[Hunt]) -> str:
    """All hunts, in lines."""
    found = sum(each.run is not None for each in hunts)
    seconds = sum(each.seconds for each in hunts)
    lines = [each.line for each in hunts]
    return "\n".join([*lines, f"{found} of {len(hunts)} planted bugs found, in {seconds:.0f} s"])
