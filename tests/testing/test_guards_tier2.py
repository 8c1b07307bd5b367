"""The guards of determinism: a plan has one trace, in every process, in both tiers, and by its recorded schedule."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from triort.testing._plan.codec import dump_plan, load_plan
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import Plan
from triort.testing._plan.swarm import Features
from triort.testing._tier1.run import run_tier1
from triort.testing._tier2.run import run_tier2

ROOT = Path(__file__).resolve().parent.parent.parent
PROCESSES = 20
SEED = 4
POINTS = ("batches of one", "tiny windows", "any idle employee first")

TELL = """
import json, sys
from tests.testing.test_guards_tier2 import hashes
ballast = [bytearray(100 + 7 * i * int(sys.argv[1]) % 3000) for i in range(3000)]
del ballast[::2]  # so that addresses are others than those of other processes
print(json.dumps(hashes()))
"""


def a_plan(seed: int, schedule: str = "random") -> Plan:
    """A plan with a little of everything: faults, features, rare ways."""
    plan = generate(seed, size=30, tree=[2, 2], features=Features.swarm().also("items", "sync"), buggify=POINTS)
    return msgspec.structs.replace(plan, schedule=schedule)


def hashes() -> dict[str, str]:
    """The hashes of the traces of one plan: in tier 2 by two schedules, and in tier 1."""
    tier2 = {f"tier 2, {name}": run_tier2(a_plan(SEED, name)).trace_hash for name in ("random", "pct")}
    return tier2 | {"tier 1": run_tier1(a_plan(SEED)).trace_hash}


def hashes_of_a_process(number: int) -> Mapping[str, str]:
    environment = os.environ | {"PYTHONHASHSEED": str(number * 7919 + 1), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", TELL, str(number)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told: Mapping[str, str] = json.loads(done.stdout)
    return told


@pytest.mark.processes
def test_twenty_processes_tell_one_trace_of_a_plan_in_both_tiers() -> None:
    with ThreadPoolExecutor(2) as two_at_a_time:
        told = list(two_at_a_time.map(hashes_of_a_process, range(PROCESSES)))
    assert told == [hashes()] * PROCESSES
    assert len(set(told[0].values())) == len(told[0])


@pytest.mark.parametrize("run_tier", [run_tier1, run_tier2])
def test_a_plan_read_from_its_file_has_the_same_trace(run_tier) -> None:
    plan = a_plan(7)
    again = load_plan(dump_plan(plan), "a file")
    assert run_tier(again).trace_hash == run_tier(plan).trace_hash


@pytest.mark.parametrize("run_tier", [run_tier1, run_tier2])
def test_other_seeds_have_other_traces(run_tier) -> None:
    plan = a_plan(7)
    others = [msgspec.structs.replace(plan, seed=seed) for seed in range(10)]
    assert len({run_tier(other).trace_hash for other in others}) == len(others)


def test_another_schedule_of_the_same_plan_has_another_trace() -> None:
    assert len({run_tier2(a_plan(7, schedule)).trace_hash for schedule in ("random", "fifo", "pct")}) == 3


@pytest.mark.parametrize("schedule", ["random", "pct"])
@pytest.mark.parametrize("seed", [SEED, 40])
def test_a_recorded_schedule_replays_by_its_script(seed: int, schedule: str) -> None:
    recorded = run_tier2(a_plan(seed, schedule))
    scripted = msgspec.structs.replace(recorded.plan, schedule="script", script=recorded.script)
    again = run_tier2(load_plan(dump_plan(scripted), "a file"))
    assert again.trace_hash == recorded.trace_hash
    assert again.script == recorded.script != {}
