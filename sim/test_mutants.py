"""The simulation is judged by planted bugs: its checks find each of them, and within so many plans.

``pytest sim -k mutants -rA`` shows how many plans each took; so does ``python -m sim.mutants``. The table is also put
into ``mutants.txt`` among the reports.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sim.mutants.catalogue import all_mutants
from sim.mutants.hunting import PLANS_MAX, Hunt, hunt, run_mutant, table
from sim.mutants.load import plan_of
from sim.mutants.planting import Mutant
from triort.testing._plan.sizes import size
from triort.testing._shrink import shrink
from triort.testing._tier1.run import run_tier1

MUTANTS = all_mutants()
MUTANTS_MIN = 36
SHRUNK = ("a loss is reported before its descendants have answered", "a failed item does not cancel its siblings",
          "a child that is tried again does not hear what was said before")  # fmt: skip
SHRINK_S = 60.0
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def hunts(pytestconfig: pytest.Config) -> Iterator[list[Hunt]]:
    hunts: list[Hunt] = []
    yield hunts
    if len(hunts) > 1:
        reports = Path(pytestconfig.getoption("--sim-reports"))
        reports.mkdir(parents=True, exist_ok=True)
        (reports / "mutants.txt").write_text(table(hunts) + "\n", encoding="utf-8")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutants_are_found(mutant: Mutant, hunts: list[Hunt]) -> None:
    hunted = hunt(mutant)
    hunts.append(hunted)
    print(hunted.line)
    assert hunted.run is not None, f"no check has found it within {PLANS_MAX[mutant.tier]} plans"


def test_there_are_enough_mutants() -> None:
    assert len(MUTANTS) >= MUTANTS_MIN


def test_a_mutant_is_gone_when_it_is_not_planted_any_more() -> None:
    mutant = next(each for each in MUTANTS if each.tier == 1)
    assert run_mutant(mutant, plan_of(0)).violation is not None
    assert run_tier1(plan_of(0)).violation is None


@pytest.mark.parametrize("name", SHRUNK)
def test_mutants_leave_a_small_plan(name: str) -> None:
    mutant = next(each for each in MUTANTS if each.name == name)
    found = hunt(mutant).run
    assert found is not None
    shrunk = shrink(found.plan, lambda plan: run_mutant(mutant, plan).violation, budget_s=SHRINK_S)
    figures = size(shrunk.plan)
    print(f"{name}: {size(found.plan)} to {figures} in {shrunk.runs} runs")
    assert figures.faults <= 5
    assert figures.tasks <= 20


def run_scenario(reports: Path, *more: str) -> subprocess.CompletedProcess[str]:
    scenario = ["sim/test_everything_at_once.py", "-k", "without_faults", "--sim-seeds=1", "--sim-jobs=1"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *scenario, f"--sim-reports={reports}"]
    return subprocess.run([*command, *more], cwd=ROOT, capture_output=True, text=True, timeout=100)


def test_the_canary_fails_and_its_replay_line_is_printed(tmp_path: Path) -> None:
    done = run_scenario(tmp_path, "-p", "sim.mutants.canary")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "canary" in done.stdout
    assert "pytest sim -k test_without_faults_every_job_ends_as_it_would_in_one_process --sim-seed=0" in done.stdout


def test_without_the_canary_the_same_scenario_passes(tmp_path: Path) -> None:
    done = run_scenario(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
