"""Bugs planted in the cores are found by one of a few seeds, and their plans become small, in either tier."""

import pytest

from tests.testing.planted import BUGS
from triort.testing._plan.generate import generate
from triort.testing._plan.sizes import size
from triort.testing._seeds import Trial, shrink_trial, try_seed
from triort.testing._seeds.trials import SIMULATION_FAILED
from triort.testing._shrink import Shrunk
from triort.testing._shrink.search import is_same_check

SEEDS = range(1, 21)
FAULTS_MAX, TASKS_MAX = 5, 20


def found(tier: int) -> tuple[int, Trial, str]:
    """The first seed that a check finds fault with, how, and which check. (The simulation itself may stumble over a
    bug, too; its plan is then made small by any stumbling, which takes three times as long.)"""
    for seed in SEEDS:
        tried = try_seed(seed, tiers=(tier,))
        if tried.trial is not None and tried.check != SIMULATION_FAILED:
            return seed, tried.trial, tried.check
    raise AssertionError(f"none of {len(SEEDS)} seeds finds it in tier {tier}")


def shrunk_of(tier: int, check: str, seed: int, trial: Trial) -> Shrunk:
    shrunk = shrink_trial(generate(seed), trial, budget_s=60)
    again = Trial(tier).fails(shrunk.plan)
    assert again is not None
    assert is_same_check(again.check, check)
    return shrunk


@pytest.mark.parametrize("tier", [1, 2])
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found_and_its_plan_becomes_small(bug: str, tier: int) -> None:
    with BUGS[bug]():
        seed, trial, check = found(tier)
        shrunk = shrunk_of(tier, check, seed, trial)
    small = size(shrunk.plan)
    assert small.faults <= FAULTS_MAX
    assert small.tasks <= TASKS_MAX
    assert shrunk.is_done


def test_without_the_bug_the_small_plan_passes() -> None:
    with BUGS["lost_tasks_are_forgotten"]():
        seed, trial, check = found(1)
        plan = shrunk_of(1, check, seed, trial).plan
    assert Trial(1).fails(plan) is None
    assert Trial(2).fails(plan) is None
