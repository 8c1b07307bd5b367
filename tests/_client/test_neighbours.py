"""Async tasks of one worker run in the same few trio tasks, one after the other; nothing of one shows in the next."""

import pytest
import trio

import triort
from tests._client import jobs, neighbours
from triort._node.async_tasks import RUNNERS_MAX

pytestmark = pytest.mark.processes


@pytest.fixture
async def client():
    async with triort.open_cluster(1) as client:
        with trio.fail_after(60):
            yield client


async def test_a_context_variable_is_the_task_s_own(client):
    assert await client.map(neighbours.see_and_set, range(200)) == [-1] * 200
    assert await client.map(neighbours.in_a_nursery_of_its_own, range(50)) == [-1] * 50


async def test_a_deadline_of_one_task_leaves_the_next_alone(client):
    assert await client.map(neighbours.sleep_with_deadline, range(5)) == list(range(5))
    assert await client.run(neighbours.outlive_a_child_that_times_out) == list(range(20))


async def test_a_timeout_of_one_task_leaves_the_next_alone(client):
    for _ in range(3):
        with pytest.raises(triort.TaskTimeout):
            await client.options(timeout_s=0.02).run(trio.sleep_forever)
        assert await client.map(neighbours.sleep, range(5)) == list(range(5))
    assert await client.options(timeout_s=30).map(neighbours.sleep, range(50)) == list(range(50))
    await trio.sleep(0.05)
    assert await client.map(neighbours.sleep, range(5)) == list(range(5))


async def test_an_error_of_one_task_leaves_the_next_alone(client):
    for name in ("SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException"):
        with pytest.raises(triort.RemoteError):
            await client.run(jobs.raise_named_async, name)
        assert await client.map(neighbours.sleep, range(5)) == list(range(5))


async def test_a_scope_that_a_task_leaves_open_leaves_the_next_alone(client):
    with pytest.raises(RuntimeError, match="Cancel scope stack corrupted"):
        await client.run(neighbours.leave_a_scope_open)
    assert await client.map(neighbours.sleep, range(5)) == list(range(5))
    await client.run(neighbours.cancel_what_was_left)
    assert await client.map(neighbours.sleep, range(50)) == list(range(50))


async def test_more_tasks_may_wait_than_runners_stay(client):
    depth = RUNNERS_MAX + 50
    assert await client.run(neighbours.deep, depth) == depth + 1
    assert await client.run(neighbours.deep, depth) == depth + 1
    assert (await client.status()).tasks == 0


async def test_a_sync_child_sees_nothing_of_the_parent_that_waits_beside_it(client):
    assert await client.map(neighbours.wait_for_sync_children, range(20)) == [[-1] * 6] * 20


async def test_a_parent_may_wait_in_a_greenlet_of_its_own(client):
    assert [await client.run(neighbours.wait_in_greenlets) for _ in range(20)] == [[-1] * 6] * 20


async def test_a_sync_child_may_have_children_with_deadlines_while_its_parent_waits_beside_it(client):
    assert [await client.run(neighbours.wait_with_a_deadline, i) for i in range(5)] == list(range(5))


async def test_a_task_that_does_not_yield_is_told_what_has_come_while_the_loop_was_about_to_look():
    async with triort.open_cluster(2) as client:
        with trio.fail_after(60):
            assert [await client.run(neighbours.tell_two, i) for i in range(300)] == [[[i], [i]] for i in range(300)]
