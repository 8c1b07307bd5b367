"""Simulated tests below pytest and Hypothesis: collected, parametrized, drawn for, and told well when they fail."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.testing.sim_workflows import square, sum_of_squares
from triort.testing import Faults, Sim, SimulatedTestFailed, sim_test, sometimes


@pytest.mark.parametrize("n", [1, 5])
@sim_test(seeds=2)
async def test_parameters_and_fixtures_are_handed_on(sim: Sim, tmp_path: Path, n: int) -> None:
    assert tmp_path.is_dir()
    async with sim.client() as client:
        assert await client.run(sum_of_squares, n) == sim.oracle(sum_of_squares, n)


class TestInAClass:
    @sim_test(seeds=2)
    async def test_a_method(self, sim: Sim) -> None:
        assert isinstance(self, TestInAClass)
        await sim.sleep(0)


@settings(max_examples=10, deadline=None)
@given(items=st.lists(st.integers(0, 50), max_size=5))
@sim_test(seeds=2, faults=Faults.only("crash_worker"))
async def test_hypothesis_draws_arguments(sim: Sim, items: list[int]) -> None:
    assume(items != [0])
    sometimes(len(items) > 50, "never, but Hypothesis calls this many times")
    async with sim.client() as client:
        assert await client.map(square, items) == [x * x for x in items]


def test_hypothesis_shrinks_what_it_has_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failed: list[list[int]] = []

    @settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(items=st.lists(st.integers(0, 50), max_size=3))
    @sim_test(seeds=1, levels=(1,))
    async def no_large_number(sim: Sim, items: list[int]) -> None:
        async with sim.client() as client:
            if max(await client.map(square, items), default=0) >= 100:
                failed.append(items)
                raise AssertionError("a large number")

    with pytest.raises(SimulatedTestFailed, match="Seed 0 failed the check AssertionError"):
        no_large_number()
    assert failed[-1] == [10]


PROGRAM = """
import time, logging, pytest, trio, triort
from triort.testing import sim_test

def square(x):
    print("squaring", x)
    return x * x

async def first(n):
    rt = triort.get_runtime()
    return (await rt.next(rt.map(square, range(n))))[0][0]

@pytest.mark.parametrize("n", [4])
@sim_test(seeds=20)
async def test_race(sim, n):
    async with sim.client() as client:
        assert await client.run(first, n) == 0

@sim_test(seeds=20)
async def test_clock(sim):
    time.sleep(0.1)

@sim_test(seeds=20)
async def test_good(sim):
    async with sim.client() as client:
        assert await client.run(square, 7) == 49
        assert await client.run(lambda: 4) == 4

@sim_test(seeds=20)
async def test_skipped(sim):
    pytest.skip("not today")
"""


@pytest.mark.parametrize("trio_mode", ["true", "false"])
def test_what_pytest_shows_is_short(tmp_path: Path, trio_mode: str) -> None:
    (tmp_path / "test_program.py").write_text(PROGRAM)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\ntrio_mode = {trio_mode}\nfilterwarnings = error\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    here = {key: value for key, value in os.environ.items() if key not in ("CI", "BUILD_NUMBER")}
    # with one of these pytest does not shorten its summary
    done = subprocess.run(command, cwd=tmp_path, env=here, capture_output=True, text=True, timeout=60)
    assert re.search(r"2 failed, 1 passed, 1 skipped in", done.stdout), done.stdout
    assert done.stdout.count("failed the check") == 1
    assert done.stdout.count("triort.testing.SimulatedTestFailed: Seed") == 1
    assert done.stdout.count("a simulated run may not use real time (time.sleep, called at") == 1
    assert "_user_run" not in done.stdout  # nothing of how it is run
    assert "squaring 7" not in done.stdout  # the good test is not heard
    assert 1 <= done.stdout.count("squaring") <= 4  # of the bad one, the told run alone
    assert len(done.stdout.splitlines()) < 170
    line = re.search(r"TRIORT_SIM_PLAN=(\S+) pytest\s+'(\S+)'", done.stdout)
    assert line
    assert line[2] == "test_program.py::test_race[4]"
    again = subprocess.run(
        [*command, line[2]], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        env={"TRIORT_SIM_PLAN": line[1]},
    )  # fmt: skip
    assert "1 failed in" in again.stdout
    assert "failed the check AssertionError at test_program.py" in again.stdout


def test_it_runs_without_pytest_from_a_script(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(PROGRAM.replace("import time, logging, pytest", "import time, logging, pytest, sys"))
    with script.open("a") as file:
        file.write("\nif __name__ == '__main__':\n    test_good()\n    print('passed')\n")
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "squaring 7\npassed\n", done.stderr
