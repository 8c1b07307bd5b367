"""Both tiers tell one story: without races the same outcomes, with races such as the oracle allows."""

import pytest

from sim.failures import managers_killed
from triort.testing._events import Outcome, note_outcome
from triort.testing._plan.generate import generate
from triort.testing._plan.oracle import fates, has_races
from triort.testing._plan.plan import Plan
from triort.testing._plan.swarm import FEATURES, Faults, Features
from triort.testing._run import Run
from triort.testing._tier1.run import run_tier1
from triort.testing._tier2.run import run_tier2

SIZE = 25
RACES = ("timeout", "cancel_after", "open", "fails", "poison", "stubborn", "crash_limit", "at_most_once")
"""Features by which one task may end in more ways than one, or cancel others."""
CERTAIN = Features.only(*(name for name in FEATURES if name not in RACES))


def both(plan: Plan) -> tuple[Run, Run]:
    runs = run_tier1(plan), run_tier2(plan)
    assert [run.violation for run in runs] == [None, None]
    return runs


def check_same(plan: Plan) -> None:
    assert not has_races(plan)
    only = {name: fate.only for name, fate in fates(plan).items() if fate.is_reached}
    for run in both(plan):
        assert run.outcomes == only


@pytest.mark.parametrize("seed", range(15))
def test_plain_loads_end_in_the_same_outcomes(seed: int) -> None:
    check_same(generate(seed, size=SIZE, faults=Faults.none(), features=Features.none()))


@pytest.mark.parametrize("seed", range(20))
def test_loads_of_all_features_without_races_end_in_the_same_outcomes(seed: int) -> None:
    check_same(generate(seed, size=SIZE, faults=Faults.none(), features=CERTAIN))


@pytest.mark.parametrize("seed", range(20))
def test_workers_that_crash_change_no_outcome_of_a_load_without_races(seed: int) -> None:
    plan = generate(seed, size=SIZE, faults=Faults.only("crash_worker", "join_worker", "slow_node"), features=CERTAIN)
    only = {name: fate.only for name, fate in fates(plan).items() if fate.is_reached and fate.only is not None}
    for run in both(plan):
        assert {name: run.outcomes[name] for name in only} == only


def test_loads_with_races_end_as_the_oracle_allows_in_both_tiers() -> None:
    num_races = num_others = 0
    for seed in range(30):
        plan = generate(seed, size=SIZE, faults=Faults.none())
        allowed, runs = fates(plan), both(plan)
        for run in runs:
            for name, outcome in run.outcomes.items():
                assert allowed[name].allows(outcome), f"seed {seed}, tier {run.tier}: {name} ended as {outcome}"
        num_races += has_races(plan)
        num_others += runs[0].outcomes != runs[1].outcomes
    assert num_races > 10
    assert 0 < num_others <= num_races, "the tiers race in ways of their own, and only where the plan has races"


@pytest.mark.parametrize(
    "told", ["value 3, cancelled", "cancelled, value 3", "error, value 3, error", "value 4, value 3"]
)
def test_a_parent_that_is_lost_and_lives_on_says_nothing_of_how_its_children_end(told: str) -> None:
    outcomes: dict[str, Outcome] = {}
    for text in told.split(", "):
        kind, _, value = text.partition(" ")
        note_outcome(outcomes, "j0.0", Outcome(kind, int(value or 0)))
    assert outcomes == {"j0.0": Outcome("value", 3)}


def test_the_children_of_those_below_a_dead_manager_end_in_the_same_outcomes() -> None:
    plan = managers_killed(7, 2, 30.0)
    assert not has_races(plan)
    check_same(plan)
