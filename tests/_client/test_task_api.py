"""What tasks may do, on an embedded cluster with real workers."""

from pathlib import Path

import pytest
import trio

import triort
from tests._client import jobs, parents

pytestmark = pytest.mark.processes


@pytest.fixture
async def client():
    async with triort.open_cluster(2) as client:
        with trio.fail_after(60):
            yield client


def test_run_gives_the_value_of_a_job():
    assert triort.run(parents.sum_of_squares, 10, num_workers=2) == 285


async def test_a_job_may_be_sync_or_async(client):
    assert await client.run(jobs.square, 7) == 49
    assert await client.run(jobs.async_square, 7) == 49


async def test_a_map_gives_its_values_in_order(client):
    assert await client.map(jobs.square, range(1_000)) == [i * i for i in range(1_000)]


async def test_a_map_over_nothing_gives_nothing(client):
    assert await client.map(jobs.square, []) == []
    assert await client.run(parents.sum_of_squares, 0) == 0


async def test_a_map_over_100_000_items_works_from_the_client_and_from_a_task(client):
    assert sum(await client.map(jobs.square, range(100_000))) == await client.run(parents.sum_of_squares, 100_000)


async def test_as_completed_gives_each_item_once(client):
    taken = sorted([pair async for pair in client.as_completed(jobs.square, range(100))])
    assert taken == [(i, i * i) for i in range(100)]


async def test_trees_of_async_and_of_sync_tasks_work(client):
    assert await client.run(parents.tree, 3, 5) == 156
    assert await client.run(parents.sync_tree, 3, 5) == 156


async def test_tasks_nest_200_deep(client):
    assert await client.run(parents.nest, 200) == 200
    assert await client.run(parents.sync_nest, 200) == 200


async def test_a_parent_of_many_short_children_leaves_others_their_turn():
    async with triort.open_cluster(1) as client:
        with trio.fail_after(60):
            total, turns = await client.run(parents.many_children, 3_000)
    assert total == sum(i * i for i in range(3_000))
    assert turns >= 200


async def test_one_worker_is_enough_for_any_depth():
    async with triort.open_cluster(1) as client:
        with trio.fail_after(60):
            assert await client.run(parents.nest, 200) == 200
            assert await client.run(parents.sync_tree, 2, 10) == 111


async def test_the_childs_exception_arrives_as_itself_with_the_remote_traceback(client):
    assert await client.run(parents.catch_failure) == "caught because of RemoteTraceback"
    with pytest.raises(jobs.Expected, match="expected") as caught:
        await client.run(jobs.fail)
    assert "in fail\n" in str(caught.value.__cause__)


async def test_a_failed_item_ends_its_map(client):
    assert await client.run(parents.map_that_fails) == "three"
    with pytest.raises(jobs.Expected, match="three"):
        await client.map(jobs.fail_at_three, range(100))


async def test_next_gives_what_has_come_and_refuses_to_go_on_after_the_last(client):
    assert await client.run(parents.take_by_next, 20) == [(i, i * i) for i in range(20)]


async def test_as_completed_in_a_task_gives_each_child_once(client):
    assert await client.run(parents.take_as_completed, 20) == [(i, i * i) for i in range(20)]


async def test_a_running_child_hears_its_parent(client):
    assert await client.run(parents.talk) == ["hello"]


async def test_a_shared_value_reaches_every_child(client):
    assert await client.run(parents.share_values, 50) == list(range(50))


async def test_a_nursery_waits_for_its_children(client):
    assert await client.run(parents.use_nursery, 10) == [i * i for i in range(10)]


async def test_a_nursery_raises_a_group_and_cancels_the_others(client):
    assert await client.run(parents.nursery_that_fails) == "(Expected('in the nursery'),)"


async def test_a_worker_keeps_its_cache(client):
    assert sorted([await client.run(parents.count_in_cache) for _ in range(4)])[-1] >= 2


async def test_a_task_that_raised_is_retried_as_often_as_asked(client, tmp_path: Path):
    assert await client.run(parents.retry_child, str(tmp_path / "a"), 2, 2) == 2
    with pytest.raises(jobs.Expected):
        await client.run(parents.retry_child, str(tmp_path / "b"), 2, 1)
    assert await client.options(retries=2).run(jobs.fail_until, str(tmp_path / "c"), 2) == 2


async def test_event_loops_may_run_inside_sync_tasks(client):
    assert await client.run(jobs.nested_trio) == 3
    assert await client.run(jobs.nested_asyncio) == "asyncio"


async def test_a_long_task_does_not_trap_short_ones_behind_it(client):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run, jobs.spin, 3.0)
        start = trio.current_time()
        await client.map(jobs.square, range(200))
        assert trio.current_time() - start < 1.5


async def test_options_that_make_no_sense_are_refused(client):
    for bad in ({"timeout_s": 0}, {"timeout_s": float("nan")}, {"crash_limit": 0}, {"retries": -1}):
        with pytest.raises(triort.UsageError):
            client.options(**bad)


async def test_the_status_shows_the_tree(client):
    status = await client.status()
    assert (status.kind, status.num_workers, len(status.employees)) == ("server", 2, 2)


async def test_jobs_can_be_watched_and_cancelled(client):
    job = await client.submit(jobs.spin)
    assert (await job.status()).state == "running"
    await job.cancel()
    assert (await job.status()).state == "cancelled"
    with pytest.raises(triort.TaskCancelled):
        await job.result()
    done = await client.submit(jobs.square, 3)
    assert await done.result() == 9
    assert done.id != job.id


async def test_keywords_of_a_map_reach_every_child(client):
    assert await client.run(parents.map_with_keywords) == [10, 11, 12]


async def test_the_status_tells_what_runs_and_how_many_workers_were_replaced(client):
    with pytest.raises(triort.TaskCrashed):
        await client.run(jobs.exit_process)
    job = await client.submit(jobs.spin)
    with trio.fail_after(10):
        while "spin" not in [worker.running for worker in (await client.status()).employees]:
            await trio.sleep(0.005)
    status = await client.status()
    assert (status.restarts, status.losses, status.blamed) == (1, 3, 3)  # suspects have workers of their own
    await client.map(jobs.square, range(500))
    with trio.fail_after(10):
        while (status := await client.status()).done < 500:
            await trio.sleep(0.005)
    assert status.rate > 0
    await job.cancel()
