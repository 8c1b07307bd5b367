"""What a simulated test is kept from: the world outside, other clusters; and how Ctrl-C ends it."""

import random
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

import triort
from tests.testing.sim_workflows import sleep_for
from triort.testing import Sim, sim_test


async def read_the_clock() -> float:
    import time

    return time.monotonic()


def guess() -> float:
    return random.random()


@pytest.mark.parametrize(
    ("fn", "what"), [(read_the_clock, "real time"), (guess, "real randomness")], ids=["time", "randomness"]
)
def test_a_task_that_reaches_outside_gets_one_clear_line(fn: object, what: str) -> None:
    @sim_test(seeds=3)
    async def reach(sim: Sim) -> None:
        async with sim.client() as client:
            await client.run(fn)  # type: ignore[arg-type]

    with pytest.raises(triort.UsageError, match=f"a simulated run may not use {what}") as caught:
        reach()
    assert len(str(caught.value).splitlines()) == 1


@sim_test(seeds=2, levels=(3, 2))
async def test_a_job_left_open_is_no_failure(sim: Sim) -> None:
    async with sim.client() as client:
        await client.submit(sleep_for, 1000.0)


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def test_ctrl_c_while_a_task_computes_ends_the_test() -> None:
    runs: list[int] = []

    @sim_test(seeds=3)
    async def interrupted(sim: Sim) -> None:
        runs.append(sim.seed)
        async with sim.client() as client:
            await client.run(press_ctrl_c)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert runs == [0]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("opening", [triort.open_cluster, triort.open_client])
def test_there_is_no_other_cluster_in_a_simulation(opening: Callable[[], AbstractAsyncContextManager[object]]) -> None:
    @sim_test(seeds=1)
    async def open_another(sim: Sim) -> None:
        async with opening():
            pass

    with pytest.raises(triort.UsageError, match=r"use: async with sim\.client\(\) as client"):
        open_another()
