"""Scenarios: tests named as sentences, each of which makes a plan from a seed and is run over many seeds.

    @scenario(seeds=40, marks=("a lost task is submitted again",))
    def test_crashed_workers_lose_no_task(seed: int) -> Plan:
        return generate(seed, levels=3, faults=Faults.only("crash_worker"))

`pytest sim` collects the function that the decorator makes of it; see `sim.simulation` for how it is run.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import attrs

from triort.testing._plan.plan import Plan
from triort.testing._seeds import Failure, Tried, explain, try_seed

if TYPE_CHECKING:
    from sim.simulation import Simulation

SEEDS = 20
Test = Callable[["Simulation"], None]


@attrs.frozen
class Scenario:
    """A scenario, and what holds for it."""

    make: Callable[[int], Plan]
    seeds: int
    tiers: tuple[int, ...]
    marks: tuple[str, ...]
    expected: str
    expected_checks: tuple[str, ...]

    @property
    def module(self) -> str:
        """Where it can be imported from, in another process as well."""
        return self.make.__module__

    @property
    def name(self) -> str:
        """The test's name."""
        return self.make.__name__


def scenario(
    *,
    seeds: int = SEEDS,
    tiers: Sequence[int] = (1, 2),
    marks: Sequence[str] = (),
    expected: str = "",
    expected_checks: Sequence[str] = (),
) -> Callable[[Callable[[int], Plan]], Test]:
    """Make a test of a function that makes a plan from a seed.

    Args:
        seeds: how many seeds there are to be, unless ``--sim-seeds`` says otherwise.
        tiers: where each plan is run.
        marks: `sometimes` marks that have to be hit by one of the seeds at least.
        expected: why it fails today; it then has to, for one of the seeds at least.
        expected_checks: with ``expected``: by which checks it may fail; by any if there are none.
    """

    def decorate(make: Callable[[int], Plan]) -> Test:
        described = Scenario(make, seeds, tuple(tiers), tuple(marks), expected, tuple(expected_checks))

        def test(simulation: Simulation) -> None:
            simulation.check(described)

        test.__module__, test.__name__, test.__qualname__ = make.__module__, make.__name__, make.__qualname__
        test.__doc__ = make.__doc__
        SCENARIOS[make.__module__, make.__name__] = described
        return test

    return decorate


SCENARIOS: dict[tuple[str, str], Scenario] = {}
"""All that this process has imported, by module and name."""


def found(module: str, name: str) -> Scenario:
    """The scenario of this name; imports its module if this process has not yet done so."""
    if (module, name) not in SCENARIOS:
        importlib.import_module(module)
    return SCENARIOS[module, name]


def try_one(module: str, name: str, seed: int, tiers: Sequence[int] = ()) -> Tried:
    """Run one seed of a scenario, in any process; in the scenario's own tiers if no others are given."""
    described = found(module, name)
    return try_seed(seed, described.make, tiers=tiers or described.tiers)


def explain_one(
    module: str, name: str, tried: Tried, reports: str, shrink_s: float, width: int | None, encoding: str
) -> Failure:
    """Tell the story of a seed that has failed, in any process."""
    assert tried.trial is not None, "it has failed"
    line = f"pytest sim -k {name} --sim-seed={tried.seed}"
    return explain(
        found(module, name).make(tried.seed), tried.trial, replay_line=line, reports=reports, shrink_s=shrink_s,
        width=width, encoding=encoding,
    )  # fmt: skip
