"""Shrinks a plan that fails in a trial: in tier 1 as far as it fails there as well, which is much faster."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import attrs

from triort.testing._plan.plan import Plan
from triort.testing._seeds.trials import Trial
from triort.testing._shrink import Shrunk, shrink
from triort.testing._shrink.search import Note, is_same_check
from triort.testing._shrink.shrink import BUDGET_S, RUNS_MAX

FAST_SHARE = 0.5
"""So much of the time is for tier 1 at most."""


def shrink_trial(
    plan: Plan, trial: Trial, *, budget_s: float = BUDGET_S, runs_max: int = RUNS_MAX, note: Note = lambda text: None
) -> Shrunk:
    """The smallest plan found that fails in this trial by the same check; see `shrink`.

    A plan that fails by that check in tier 1, too, is shrunk there first. What comes of it counts if it still fails
    where the first plan failed, and is shrunk on there.
    """
    start = time.monotonic()
    runs = 0
    if trial == Trial(2):
        plan, runs = _shrunk_in_tier1(plan, trial, budget_s * FAST_SHARE, runs_max, note)
    left_s = budget_s - (time.monotonic() - start)

    def recorded(smaller: Plan) -> Mapping[int, Sequence[int]]:
        return trial.run(smaller).script

    shrunk = shrink(plan, trial.fails, recorded=recorded if trial.tier == 2 else None,
                    budget_s=left_s, runs_max=max(runs_max - runs, 0), note=note)  # fmt: skip
    return attrs.evolve(shrunk, runs=shrunk.runs + runs)


def _shrunk_in_tier1(plan: Plan, trial: Trial, budget_s: float, runs_max: int, note: Note) -> tuple[Plan, int]:
    """A smaller plan that fails in the trial as this one does, or this one; and how many plans were run."""
    there, here = Trial(1).fails(plan), trial.fails(plan)
    if there is None or here is None or not is_same_check(there.check, here.check):
        return plan, 0
    shrunk = shrink(plan, Trial(1).fails, budget_s=budget_s, runs_max=runs_max, note=note)
    confirmed = trial.fails(shrunk.plan)
    if confirmed is None or not is_same_check(confirmed.check, here.check):
        return plan, shrunk.runs
    return shrunk.plan, shrunk.runs
