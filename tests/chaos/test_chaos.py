"""A small share of the runs with real processes that die by chance; `python -m tests.chaos` is the whole."""

import json
import subprocess
import sys

import pytest

from tests.chaos import plan
from tests.chaos.cuts import break_link, run_cuts, silence_link, stop_manager
from tests.chaos.kills import run_kills
from tests.chaos.misbehaving import run_misbehaving
from tests.chaos.nodes import ROOT
from tests.chaos.recovery import run_recovery
from tests.chaos.report import Part, as_dict
from tests.chaos.sampling import fit
from tests.chaos.servers import run_client_kills, run_server_kills

pytestmark = pytest.mark.processes
SEED = 4


def check(part: Part) -> None:
    """Nothing of what must be zero is more."""
    assert part.is_good, json.dumps(as_dict([part]), indent=2)


def test_the_serial_run_knows_every_value() -> None:
    key = plan.job_key(SEED, 0)
    assert plan.serial(key, 4) == plan.serial(key, 4) != plan.serial(plan.mix(key, 1), 4)
    assert plan.count_tasks(key, 4) > 50


def test_nodes_can_be_given_shorter_times() -> None:
    command = (
        "from tests.chaos.node import set_limits; set_limits('STOP_S=3.5'); "
        "from triort._core import pulse; print(pulse.PATIENCE_S[pulse.Role.EMPLOYEE])"
    )
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("3.5\n", "")


def test_a_slope_comes_with_its_error() -> None:
    times = [float(t) for t in range(100)]
    line = fit(times, [5 + 0.5 * t + (-1) ** int(t) for t in times])
    assert abs(line.slope - 0.5) < 3 * line.error < 0.02


async def test_values_are_right_while_workers_and_managers_are_killed() -> None:
    check(await run_kills(20, 2_000, SEED, 3.0))


async def test_a_server_that_is_killed_goes_on_with_its_jobs() -> None:
    check(await run_server_kills(1, SEED))


async def test_a_broken_link_a_silent_one_and_a_stopped_manager_cost_no_value() -> None:
    check(await run_cuts("cuts", (break_link, silence_link, stop_manager), 3, SEED, long_too=False))


async def test_one_lost_worker_is_replaced_and_its_task_runs_again() -> None:
    part = await run_recovery(2, SEED)
    check(part)
    assert part.figures["kill to next attempt, number"] == 2


async def test_tasks_that_misbehave_harm_no_others() -> None:
    check(await run_misbehaving(SEED, rounds=1))


async def test_a_killed_client_takes_only_its_own_jobs_along() -> None:
    check(await run_client_kills(1, SEED))
