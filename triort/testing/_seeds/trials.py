"""Ways to try a plan: in one tier, twice in the same, or in both; each ends in one `Run` with what it has failed by."""

from __future__ import annotations

import traceback
from collections.abc import Sequence

import attrs

from triort.testing._checkers import all_checkers
from triort.testing._events import Violation
from triort.testing._plan.oracle import has_races
from triort.testing._plan.plan import Plan
from triort.testing._report.differences import outcome_differences
from triort.testing._report.divergence import compare_runs
from triort.testing._run import Checker, Run
from triort.testing._tier1.run import run_tier1
from triort.testing._tier2.run import run_tier2

TIERS = (1, 2)
DIFFERENCES_MAX = 10
NOT_DETERMINISTIC = "not deterministic"
TIERS_DIFFER = "tiers differ"
SIMULATION_FAILED = "the simulation itself"


@attrs.frozen
class Trial:
    """One way to try a plan."""

    tier: int
    is_twice: bool = False
    """Run it again, and compare the traces."""
    is_compared: bool = False
    """Run it in the other tier as well, and compare the outcomes where the plan leaves no race."""

    def run(self, plan: Plan, *, keep_all: bool = False) -> Run:
        """Try the plan. Blocks until all is over; whatever fails is in ``violation``."""
        run = run_plan(plan, self.tier, keep_all=keep_all or self.is_twice)
        if run.violation is None and self.is_twice:
            return _compared_twice(run, run_plan(plan, self.tier, keep_all=True))
        if run.violation is None and self.is_compared and not has_races(plan):
            return _compared_across(run, run_plan(plan, 3 - self.tier))
        return run

    def fails(self, plan: Plan) -> Violation | None:
        """What the plan fails by."""
        return self.run(plan).violation


def run_plan(plan: Plan, tier: int, *, keep_all: bool = False, more_checkers: Sequence[Checker] = ()) -> Run:
    """Run the plan in one tier. An error of the simulation itself is a violation, too, so that it gets a replay line
    and a small plan like all others."""
    checkers = [*all_checkers(plan), *more_checkers]
    run_tier = run_tier1 if tier == 1 else run_tier2
    try:
        return run_tier(plan, checkers=checkers, keep_all=keep_all)
    except Exception as exc:
        text = "".join(traceback.format_exception(exc))
        return Run(plan, tier, Violation(SIMULATION_FAILED, text), "", [], {}, 0.0, 0, 0, {})


def _compared_twice(first: Run, second: Run) -> Run:
    if first.trace_hash == second.trace_hash:
        return first
    text = "two runs of one plan in one process part\n" + compare_runs(first, second, ("first", "second"))
    return attrs.evolve(second, violation=Violation(NOT_DETERMINISTIC, text, second.now_s))


def _compared_across(run: Run, other: Run) -> Run:
    if other.violation is not None:
        return run
    found = outcome_differences(run, other)
    if not found:
        return run
    more = [f"… and {len(found) - DIFFERENCES_MAX} more"] if len(found) > DIFFERENCES_MAX else []
    text = "\n".join([f"outcomes in tier {run.tier} → tier {other.tier}", *found[:DIFFERENCES_MAX], *more])
    return attrs.evolve(run, violation=Violation(TIERS_DIFFER, text, run.now_s))
