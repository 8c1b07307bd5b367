"""Large values through real processes: they arrive, they are each taker's own, and nothing of them is left behind."""

import gc
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio

import triort
from tests._client import jobs, large
from tests._client.large import MIB
from tests._node.template_helpers import wait_until
from triort._model.limits import SEGMENTS_MAX
from triort._wire.shared import Shared

pytestmark = pytest.mark.processes

BYTES = os.urandom(MIB) * 16
NUMBERS = 2 * MIB
"""As many make 16 MiB."""


@pytest.fixture
async def client():
    async with triort.open_cluster(2) as client:
        with trio.fail_after(60):
            yield client
            assert await client.map(jobs.square, range(100)) == [i * i for i in range(100)]
            await check_nothing_is_held(client)
    gc.collect()
    assert large.lent() == 0


async def check_nothing_is_held(client: triort.Client) -> None:
    """Of this process and both workers: no part is held any more, and no more segments than are kept."""
    gc.collect()
    assert Shared.held == set()
    for num_lent, num_mapped in await client.map(held_here, range(20)):
        assert (num_lent <= SEGMENTS_MAX, num_mapped) == (True, 0)


def held_here(_: int) -> tuple[int, int]:
    gc.collect()
    assert Shared.held == set()
    return large.lent(), large.mapped()


async def test_bytes_go_there_and_back(client):
    for _ in range(5):
        assert await client.run(large.echo, BYTES) == BYTES
    nested = {"a": [BYTES, BYTES[1:]], "b": (b"", BYTES)}
    assert await client.run(large.echo, nested) == nested


async def test_a_task_may_write_to_the_array_that_it_gets_and_the_caller_to_what_comes_back(client):
    array = np.zeros(NUMBERS)
    for i in range(3):
        result = await client.run(large.add_one, array)
        assert result.sum() == NUMBERS
        result += i
    assert not array.any()


async def test_a_result_may_be_asked_for_twice_and_is_not_the_same_memory(client):
    job = await client.submit(large.make, NUMBERS, 3.0)
    first = await job.result()
    first += 1
    second = await job.result()
    assert (first[0], second[0]) == (4, 3)
    del job, first, second


async def test_an_array_that_the_caller_changes_later_arrives_as_it_was(client):
    array = np.zeros(NUMBERS)
    running = [await client.submit(large.add_one, array) for _ in range(6)]
    array += 100
    assert [(await job.result()).sum() for job in running] == [NUMBERS] * 6
    del running


@pytest.mark.parametrize("kind", ["bytes", "arrays"])
async def test_a_map_over_many_large_items_keeps_their_order(client, kind):
    for _ in range(2):
        items: list[Any] = [bytes([i]) * MIB for i in range(100)]
        if kind == "arrays":
            items = [np.frombuffer(item, dtype=np.uint8) for item in items]
        results = await client.map(large.echo, items)
        assert all(bytes(result) == bytes(item) for item, result in zip(items, results, strict=True))
        del results


async def test_children_get_arrays_of_their_own_and_share_what_was_put(client):
    sums = await client.run(large.spread_out, 8, NUMBERS)
    assert sums == [NUMBERS] * 8


async def test_a_value_goes_down_and_up_through_a_chain_of_tasks(client):
    assert await client.run(large.chain, 6, BYTES) == BYTES


async def test_an_array_that_a_worker_keeps_stays_what_it_is():
    async with triort.open_cluster(1) as client:
        with trio.fail_after(60):
            await client.run(large.keep, np.ones(NUMBERS))
            for i in range(5):
                await client.run(large.add_one, np.full(NUMBERS, float(i)))
            assert await client.run(large.kept_sum) == NUMBERS


async def test_a_large_message_and_a_large_error_arrive(client):
    assert await client.run(large.say, BYTES) == len(BYTES)
    with pytest.raises(ValueError, match=r"\\x") as caught:
        await client.run(large.fail_with, BYTES)
    assert caught.value.args == (BYTES,)
    del caught


async def test_a_task_whose_worker_has_died_gets_its_array_unspoiled(client, tmp_path):
    assert await client.run(large.die_once, np.zeros(NUMBERS), str(tmp_path / "mark")) == NUMBERS


async def test_a_task_that_is_tried_again_gets_its_array_unspoiled(client, tmp_path):
    retrying = client.options(retries=1)
    assert await retrying.run(large.fail_once, np.zeros(NUMBERS), str(tmp_path / "mark")) == NUMBERS


@pytest.mark.parametrize("value", [BYTES, np.zeros(NUMBERS)], ids=["bytes", "array"])
async def test_a_cancel_in_the_middle_leaves_nothing(client, value, tmp_path: Path):
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(client.run, large.hold, value, str(tmp_path))
            await wait_until(lambda: len(list(tmp_path.iterdir())) >= 2)
            scope.cancel()


async def test_workers_that_are_killed_in_the_middle_leave_nothing(client, tmp_path: Path):
    items = [np.full(NUMBERS, float(i)) for i in range(12)]
    pids = set(await client.map(jobs_pid, range(20)))
    async with trio.open_nursery() as nursery:
        results: list[Any] = []

        async def run_all() -> None:
            results.extend(await client.map(large.add_one, items))

        nursery.start_soon(run_all)
        await trio.sleep(0.02)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
    assert [result[0] for result in results] == [i + 1 for i in range(12)]
    results.clear()


def jobs_pid(_: int) -> int:
    return large.pid()


async def test_a_job_left_open_leaves_nothing():
    async with triort.open_cluster(2) as client:
        await client.submit(jobs.spin)
        await client.submit(large.echo, np.zeros(NUMBERS))
        await client.submit(large.echo, BYTES)
    gc.collect()
    assert Shared.held == set()
    assert large.lent() == 0


async def test_more_results_than_may_be_held_are_copied(client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("triort._wire.shared.SHARED_MAX", 5)
    results = await client.map(large.make, [MIB] * 30, range(30))
    assert len(Shared.held) <= 5
    assert [result[-1] for result in results] == list(range(30))
    del results
