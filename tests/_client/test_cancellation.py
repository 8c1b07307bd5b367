"""Cancels on all levels, on an embedded cluster with real workers."""

import time
from pathlib import Path

import pytest
import trio

import triort
from tests._client import jobs, parents
from triort._model.limits import GRACE_S

pytestmark = pytest.mark.processes

SOON_S = 1.5
"""Far less than the grace time, far more than a loaded machine needs."""


@pytest.fixture
async def client():
    async with triort.open_cluster(2) as client:
        with trio.fail_after(60):
            yield client


async def wait_for_file(path: Path) -> None:
    while not path.exists():
        await trio.sleep(0.005)


@pytest.mark.parametrize("fn", [jobs.spin, jobs.spin_async, jobs.sleep_long, jobs.sleep_sync])
async def test_a_scope_ends_a_job_wherever_it_is(client, fn):
    start = time.perf_counter()
    with trio.move_on_after(0.1) as scope:
        await client.run(fn)
    assert scope.cancelled_caught
    assert time.perf_counter() - start < SOON_S
    assert await client.map(jobs.square, range(10)) == [i * i for i in range(10)]


async def test_a_cancel_reaches_the_bottom_of_a_chain_of_tasks(client):
    start = time.perf_counter()
    with trio.move_on_after(0.2):
        await client.run(parents.spin_below, 20)
    assert time.perf_counter() - start < SOON_S
    assert (await client.status()).tasks == 0


@pytest.mark.parametrize("num_workers", [1, 2])
@pytest.mark.parametrize("fn", [jobs.spin, jobs.spin_async, jobs.sleep_long])
async def test_a_scope_in_a_task_ends_its_child_even_on_the_same_worker(num_workers, fn):
    async with triort.open_cluster(num_workers) as client:
        with trio.fail_after(30):
            caught, took = await client.run(parents.scope_around, fn)
    assert caught
    assert took < SOON_S


async def test_a_scope_around_many_short_children_ends_with_its_time():
    """They run in their parent's turn, and yet the time is looked at."""
    async with triort.open_cluster(1) as client:
        with trio.fail_after(30):
            caught, took = await client.run(parents.children_until, 0.1)
            with trio.move_on_after(0.1) as scope:
                await client.run(parents.children_until, 600.0)
    assert caught
    assert took < SOON_S
    assert scope.cancelled_caught


@pytest.mark.parametrize("num_workers", [1, 2])
@pytest.mark.parametrize("fn", [jobs.spin, jobs.spin_async, jobs.sleep_long])
async def test_a_deadline_travels_with_a_child(num_workers, fn):
    async with triort.open_cluster(num_workers) as client:
        with trio.fail_after(30):
            assert "did not end within 0.1 s" in await client.run(parents.child_timeout, fn)


@pytest.mark.parametrize("fn", [jobs.spin, jobs.spin_async, jobs.sleep_long])
async def test_a_deadline_travels_with_a_job(client, fn):
    with pytest.raises(triort.TaskTimeout, match=r"did not end within 0\.1 s"):
        await client.options(timeout_s=0.1).run(fn)


async def test_a_deadline_ends_a_job_that_has_not_started(client):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.map, jobs.spin, [5.0] * 20)
        while (await client.status()).idle_workers:
            await trio.sleep(0.005)
        with pytest.raises(triort.TaskTimeout), trio.fail_after(SOON_S):
            await client.options(timeout_s=0.1).run(jobs.square, 1)
        nursery.cancel_scope.cancel()


async def test_a_failed_item_ends_a_sibling_that_keeps_the_cpu_of_their_parent(client):
    for _ in range(5):
        text, took = await client.run(parents.map_that_fails_beside_a_spin)
        assert text == "of two"
        assert took < SOON_S


async def test_leaving_as_completed_early_cancels_the_rest(client):
    async for index, value in client.as_completed(jobs.spin, [0.0, 100.0, 100.0]):
        assert (index, value) == (0, "to the end")
        break
    with trio.fail_after(SOON_S):
        while (await client.status()).tasks:
            await trio.sleep(0.005)


async def test_children_left_open_are_cancelled_when_their_parent_returns(client):
    start = time.perf_counter()
    assert await client.run(parents.leave_children_open) == "returned"
    assert time.perf_counter() - start < SOON_S
    assert (await client.status()).tasks == 0


async def test_a_cancelled_child_is_gone_and_awaiting_it_says_so(client):
    assert await client.run(parents.cancel_child) == "task spin has been cancelled"


async def test_a_cancelled_map_ends_running_and_waiting_items(client):
    start = time.perf_counter()
    with trio.move_on_after(0.1):
        await client.map(jobs.spin, [100.0] * 500)
    assert time.perf_counter() - start < SOON_S
    assert (await client.status()).tasks == 0


@pytest.mark.parametrize("fn", [jobs.swallow_interrupts, jobs.shield_forever])
async def test_what_ignores_a_cancel_is_killed_after_the_grace_time_and_replaced(client, fn):
    start = time.perf_counter()
    with trio.move_on_after(0.1):
        await client.run(fn)
    assert GRACE_S < time.perf_counter() - start < GRACE_S + SOON_S
    assert await client.map(jobs.square, range(100)) == [i * i for i in range(100)]
    with trio.fail_after(5):
        while (await client.status()).num_workers < 2:
            await trio.sleep(0.01)


async def test_leaving_the_cluster_ends_everything_at_once(tmp_path: Path):
    start = time.perf_counter()
    async with triort.open_cluster(2) as client:
        await client.submit(jobs.mark_then_spin, str(tmp_path / "started"))
        await client.submit(jobs.swallow_interrupts)
        await wait_for_file(tmp_path / "started")
    assert time.perf_counter() - start < GRACE_S


async def test_a_cancel_around_the_cluster_ends_it(tmp_path: Path):
    async with trio.open_nursery() as nursery:

        async def own_cluster() -> None:
            async with triort.open_cluster(2) as client:
                await client.run(jobs.mark_then_spin, str(tmp_path / "started"))

        nursery.start_soon(own_cluster)
        with trio.fail_after(10):
            await wait_for_file(tmp_path / "started")
        nursery.cancel_scope.cancel()


async def test_an_error_in_the_block_comes_out_as_itself():
    with pytest.raises(jobs.Expected):
        async with triort.open_cluster(1):
            raise jobs.Expected
