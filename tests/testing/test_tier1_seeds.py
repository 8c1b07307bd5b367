"""Generated plans on the pure cores with all checks: with faults, without, and with the product's rare ways."""

from __future__ import annotations

import pytest

from triort.testing._plan.generate import generate
from triort.testing._plan.plan import Plan
from triort.testing._plan.swarm import Faults
from triort.testing._tier1.run import run_tier1

SEEDS_PER_TEST = 20
POINTS = (
    "any idle employee first",
    "batches of one",
    "slow replacements",
    "tiny windows",
    "a worker keeps nothing for itself",
    "what brings work is queued, too",
)


def seeds(first: int, tests: int) -> pytest.MarkDecorator:
    starts = range(first, first + tests * SEEDS_PER_TEST, SEEDS_PER_TEST)
    return pytest.mark.parametrize("first", [pytest.param(start, id=f"seeds from {start}") for start in starts])


def check(made: Plan) -> None:
    run = run_tier1(made)
    assert run.violation is None, f"seed {made.seed}: {run.violation}"


@seeds(0, 4)
def test_faults_change_no_promise(first: int) -> None:
    for seed in range(first, first + SEEDS_PER_TEST):
        check(generate(seed))


@seeds(100_000, 4)
def test_loads_without_faults_end_as_planned(first: int) -> None:
    for seed in range(first, first + SEEDS_PER_TEST):
        check(generate(seed, faults=Faults.none()))


@seeds(200_000, 2)
def test_the_rare_ways_of_the_product_are_as_right_as_the_others(first: int) -> None:
    for seed in range(first, first + SEEDS_PER_TEST):
        check(generate(seed, buggify=POINTS))


@seeds(300_000, 2)
def test_one_worker_per_boss_and_few_tasks(first: int) -> None:
    for seed in range(first, first + SEEDS_PER_TEST):
        check(generate(seed, size=8, tree=[2, 1]))


def test_a_draw_that_is_left_out_changes_no_other() -> None:
    """Without its faults a plan takes the same first steps, up to the first fault."""
    made = generate(17)
    first_s = min(fault.at_s for fault in made.faults)
    with_faults = run_tier1(made, keep_all=True, until_s=first_s * 0.99)
    without = run_tier1(generate(17, faults=Faults.none()), keep_all=True, until_s=first_s * 0.99)
    assert len(with_faults.events) > 50
    assert with_faults.trace_hash == without.trace_hash
