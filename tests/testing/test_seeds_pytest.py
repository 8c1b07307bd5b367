"""Scenarios under pytest, in a project of their own: verdicts, stories, options, and plans that replay by command."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BOUND_S = 100
SETTINGS = f"""
[pytest]
addopts = --import-mode=importlib -p no:cacheprovider
pythonpath = . {ROOT}
filterwarnings = error
"""
SCENARIOS = '''
import os

import msgspec

from sim.scenarios import scenario
from triort.testing._plan.generate import generate
from triort.testing._plan.swarm import Faults, Features


def small(seed, heal_s=60.0):
    plan = generate(seed, size=6, tree=[1, 2], faults=Faults.none(), features=Features.none())
    return msgspec.structs.replace(plan, heal_s=heal_s)


@scenario(seeds=4)
def test_all_is_well(seed):
    """Nothing happens."""
    return small(seed)


@scenario(seeds=4, tiers=(2,))
def test_odd_seeds_take_too_long(seed):
    return small(seed, 1e-4 if seed % 2 else 60.0)


@scenario(seeds=4, tiers=(2,), expected="there is no hurry")
def test_expected_to_fail_and_fails(seed):
    return small(seed, 1e-4)


@scenario(seeds=4, tiers=(2,), expected="there is no hurry")
def test_expected_to_fail_and_passes(seed):
    return small(seed)


@scenario(seeds=4, tiers=(2,), expected="there is no hurry", expected_checks=["tables_empty"])
def test_expected_to_fail_by_another_check(seed):
    return small(seed, 1e-4)


@scenario(seeds=2, marks=("a mark that there is not",))
def test_a_mark_is_never_hit(seed):
    return small(seed)


@scenario(seeds=4)
def test_the_process_dies(seed):
    if seed == 2:
        os._exit(3)
    return small(seed)
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    (tmp_path / "conftest.py").write_text("from sim.conftest import *\n")
    (tmp_path / "test_things.py").write_text(SCENARIOS)
    return tmp_path


def run(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *words]
    environment = {**os.environ, "COLUMNS": "160"}
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=BOUND_S)


def verdicts(output: str) -> dict[str, str]:
    return dict(re.findall(r"^test_things\.py::test_(\w+) ([A-Z]+)", output, flags=re.MULTILINE))


def section(output: str, name: str) -> str:
    """What is told of one failing test."""
    found = re.search(rf"^_+ {name} _+$\n(.*?)^(?:_+ test_|=+ )", output, flags=re.MULTILINE | re.DOTALL)
    assert found is not None, output
    return found[1]


def test_each_scenario_gets_its_verdict_and_its_story(project: Path) -> None:
    done = run(project, "pytest", "-v", "-rx", "--sim-jobs=2", "--sim-reports=reports", "-k", "not dies")
    assert (done.returncode, done.stderr) == (1, "")
    assert verdicts(done.stdout) == {
        "all_is_well": "PASSED",
        "odd_seeds_take_too_long": "FAILED",
        "expected_to_fail_and_fails": "XFAIL",
        "expected_to_fail_and_passes": "FAILED",
        "expected_to_fail_by_another_check": "FAILED",
        "a_mark_is_never_hit": "FAILED",
    }
    assert "\x1b" not in done.stdout
    assert "test_expected_to_fail_and_fails - there is no hurry" in done.stdout
    assert "remove expected= from test_expected_to_fail_and_passes" in done.stdout
    assert section(done.stdout, "test_a_mark_is_never_hit") == (
        "2 seeds have never come to these marks:\n  a mark that there is not\n"
    )
    story = section(done.stdout, "test_odd_seeds_take_too_long")
    assert story.startswith("2 of 4 seeds fail\n  liveness in tier 2: 1, 3\n\nSeed 1 failed the check liveness\n")
    assert "\n  pytest sim -k test_odd_seeds_take_too_long --sim-seed=1\n" in story
    assert "4 of 4 seeds fail" in section(done.stdout, "test_expected_to_fail_by_another_check")


def test_a_failing_seed_is_replayed_alone_and_its_plan_by_the_command(project: Path) -> None:
    done = run(project, "pytest", "-q", "-k", "odd", "--sim-seed=3", "--sim-reports=reports")
    assert done.returncode == 1
    story = section(done.stdout, "test_odd_seeds_take_too_long")
    assert story.startswith("Seed 3 failed the check liveness\n")
    trace = re.search(r"trace\s+(\w+)", story)
    command = re.search(r"^  triort (sim replay \S+ --tier 2)$", story, flags=re.MULTILINE)
    assert trace is not None
    assert command is not None
    replayed = run(project, "triort", *command[1].split())
    assert (replayed.returncode, replayed.stderr) == (1, "")
    assert replayed.stdout.startswith("Seed 3 failed the check liveness\n  j0 did not end within 0.0001 s")
    whole = run(project, "triort", "sim", "replay", "--tier=2",
                "reports/odd_seeds_take_too_long/seed-3-tier-2.unshrunk.plan.json")  # fmt: skip
    assert whole.returncode == 1
    assert f"trace {trace[1]}" in " ".join(whole.stdout.split())


def test_a_replay_of_a_seed_that_passes_passes(project: Path) -> None:
    done = run(project, "pytest", "-q", "-k", "odd or and_passes or mark", "--sim-seed=2")
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 passed" in done.stdout
    assert not (project / "sim-failures").exists()


def test_a_replay_of_an_expected_failure_tells_its_story(project: Path) -> None:
    done = run(project, "pytest", "-v", "-s", "-k", "and_fails", "--sim-seed=0")
    assert done.returncode == 0
    assert "Seed 0 failed the check liveness" in done.stdout
    assert "1 xfailed" in done.stdout


def test_the_seeds_can_be_more_or_fewer(project: Path) -> None:
    done = run(project, "pytest", "-q", "-k", "odd or mark", "--sim-seeds=1", "--sim-jobs=1")
    assert (done.returncode, "2 passed" in done.stdout) == (0, True)
    done = run(project, "pytest", "-q", "-k", "odd", "--sim-seeds=7", "--sim-jobs=2")
    assert "3 of 7 seeds fail\n  liveness in tier 2: 1, 3, 5\n" in done.stdout


def test_a_seed_that_ends_its_process_is_told(project: Path) -> None:
    done = run(project, "pytest", "-q", "-k", "dies", "--sim-jobs=2")
    assert done.returncode == 1
    assert re.search(r"seed [012], or one soon after it, has ended its process", done.stdout)


@pytest.mark.parametrize("option", ["--sim-seeds=0", "--sim-seed=-1", "--sim-jobs=many"])
def test_a_wrong_option_is_told(project: Path, option: str) -> None:
    done = run(project, "pytest", "-q", option)
    assert done.returncode == 4
    assert f"{option.partition('=')[2]!r} is not a number" in done.stderr
