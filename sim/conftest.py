"""What `pytest sim` adds to pytest: its options, and what scenarios get from them.

    pytest sim                                    # a few minutes at most
    pytest sim --sim-seeds=1000 --sim-jobs=2
    pytest sim -k storm --sim-seed=97             # replay one

Scenarios are written with `sim.scenarios.scenario`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sim.progress import Watch
from sim.scenarios import SCENARIOS
from sim.simulation import Simulation
from sim.workers import Workers
from triort._node.defaults import count_cpus
from triort.testing._seeds.check import REPORTS

JOBS_MAX = 64
SEED_S_MAX = 20.0
STORIES_S_MAX = 300.0


def number_from(least: int):
    """A type for options: a whole number that is not too small."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise pytest.UsageError(f"{text!r} is not a number from {least}")
        return int(text)

    return number


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of `pytest sim`."""
    group = parser.getgroup("sim", "simulations of whole clusters")
    add = group.addoption
    add("--sim-seeds", type=number_from(1), metavar="N", help="seeds of each scenario (default: as many as it says)")
    add("--sim-seed", type=number_from(0), metavar="S", help="run this seed only")
    add("--sim-jobs", type=number_from(1), metavar="J", help="worker processes (default: one for each CPU)")
    add("--sim-reports", metavar="DIR", default=REPORTS, help=f"reports of failures go here (default: {REPORTS})")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A scenario may take as long as its seeds do."""
    for item in items:
        function = getattr(item, "function", None)
        scenario = SCENARIOS.get((getattr(function, "__module__", ""), getattr(function, "__name__", "")))
        if scenario is not None and item.get_closest_marker("timeout") is None:
            seeds = config.getoption("--sim-seeds") or scenario.seeds
            item.add_marker(pytest.mark.timeout(STORIES_S_MAX + SEED_S_MAX * seeds))


@pytest.fixture(scope="session")
def workers(pytestconfig: pytest.Config) -> Iterator[Workers]:
    """The processes that run the seeds of all scenarios."""
    jobs = pytestconfig.getoption("--sim-jobs")
    with Workers(min(count_cpus() if jobs is None else jobs, JOBS_MAX)) as workers:
        yield workers


@pytest.fixture(scope="session")
def simulation(workers: Workers, pytestconfig: pytest.Config) -> Simulation:
    """What scenarios are run by."""
    option = pytestconfig.getoption
    watch = Watch(pytestconfig)
    width = pytestconfig.get_terminal_writer().fullwidth if watch.is_watched else None
    encoding = getattr(sys.__stdout__, "encoding", None) or "utf-8"
    return Simulation(
        workers, Path(option("--sim-reports")), option("--sim-seeds"), option("--sim-seed"), width, encoding, watch
    )
