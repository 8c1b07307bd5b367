"""The oracle of a test gives what a workflow gives without any cluster, for all that a task can do."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import triort
from tests.testing import sim_workflows as flows
from triort.testing import Sim, sim_test

ALL: dict[str, tuple[Callable[..., Any], tuple[Any, ...], Any]] = {
    "a sync task": (flows.square, (5,), 25),
    "a map": (flows.sum_of_squares, (5,), 30),
    "maps below a map": (flows.nested, (4,), [0, 0, 1, 5]),
    "a sync task that waits": (flows.sync_parent, (5,), 30),
    "next": (flows.by_next, (4,), 36),
    "as_completed": (flows.as_they_come, (4,), 36),
    "a nursery": (flows.nursery, (4,), [0, 1, 4, 9]),
    "a shared value": (flows.put_and_use, (4,), 18),
    "a cancel": (flows.cancel_some, (4,), "cancelled, 14"),
    "a message": (flows.talk, (), "hello"),
    "retries": (flows.try_again, (), "at last"),
    "a failure that is caught": (flows.catch, (), "caught 2"),
    "computing": (flows.compute_for, (3.0,), 3.0),
    "sleeping": (flows.sleep_for, (3600.0,), 3600.0),
    "a partial": (partial(flows.square, 3), (), 9),
    "a lambda": (lambda: 7, (), 7),
}


@pytest.mark.parametrize("name", ALL)
@sim_test(seeds=3)
async def test_oracle_and_cluster_agree(sim: Sim, name: str) -> None:
    fn, args, expected = ALL[name]
    assert sim.oracle(fn, *args) == expected
    async with sim.client() as client:
        assert await client.run(fn, *args) == expected
        assert sim.oracle(fn, *args) == expected
    await sim.quiescent()


@sim_test(seeds=1)
async def test_the_oracle_takes_no_time(sim: Sim) -> None:
    sim.oracle(flows.sleep_for, 1e6)
    sim.oracle(flows.compute_for, 1e6)
    assert sim.time() == 0.0
    await sim.sleep(0)


@sim_test(seeds=1)
async def test_the_oracle_raises_what_the_job_raises(sim: Sim) -> None:
    with pytest.raises(flows.NotToday):
        sim.oracle(flows.raise_it)
    with pytest.raises(ExceptionGroup) as caught:
        sim.oracle(flows.nursery_with_failure)
    assert caught.group_contains(flows.NotToday)
    async with sim.client() as client:
        with pytest.raises(flows.NotToday):
            await client.run(flows.raise_it)
        with pytest.raises(ExceptionGroup) as caught:
            await client.run(flows.nursery_with_failure)
        assert caught.group_contains(flows.NotToday)


async def ask_after_the_first() -> str:
    rt = triort.get_runtime()
    future = rt.submit(flows.listen)
    await rt.submit(flows.square, 1)
    rt.communicate(future, "late")
    return await future


async def wait_for_two_that_talk() -> str:
    return await triort.get_runtime().submit(flows.listen)


@sim_test(seeds=1)
async def test_the_oracle_says_so_when_a_message_never_comes(sim: Sim) -> None:
    assert sim.oracle(ask_after_the_first) == "late"
    with pytest.raises(triort.UsageError, match="waits for a message that its parent has not sent"):
        sim.oracle(wait_for_two_that_talk)
    await sim.sleep(0)
