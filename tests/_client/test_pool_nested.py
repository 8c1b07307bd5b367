"""The Executor inside tasks: made there, given to them, waited for in each way that the standard library has."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import triort
from tests._client import pool_tasks

pytestmark = pytest.mark.processes
LONG_S = 30


@pytest.fixture(scope="module", params=[1, 2])
def pool(request: pytest.FixtureRequest) -> Iterator[triort.Executor]:
    """With one worker, whatever blocks its thread hangs."""
    with triort.Executor(request.param) as pool:
        pool.submit(pool_tasks.square, 1).result(LONG_S)
        yield pool


def run(pool: triort.Executor, how: Callable[[triort.Executor], Any]) -> Any:
    return pool.submit(pool_tasks.in_a_task, how).result(LONG_S)


def test_maps_in_a_task_give_their_values(pool):
    assert run(pool, pool_tasks.nested_map) == [0, 1, 4, 9, 16] * 2


def test_wait_works_in_a_task(pool):
    assert run(pool, pool_tasks.nested_wait) == [[0, 1, 4, 9, 16], set(), True, True]


def test_as_completed_works_in_a_task(pool):
    assert run(pool, pool_tasks.nested_as_completed) == [i * i for i in range(20)]


def test_a_task_that_asks_until_all_is_done_does_not_keep_it_from_being_done(pool):
    assert run(pool, pool_tasks.nested_polling) == [0, 1, 4]


def test_a_result_that_does_not_come_in_time_is_told_and_its_call_can_be_cancelled(pool):
    if pool._max_workers == 1:
        pytest.skip("the child would keep the only thread")
    assert run(pool, pool_tasks.nested_timeout) == [False, True, True, True, True]


def test_callbacks_are_called_in_the_task_and_may_submit_more(pool):
    assert run(pool, pool_tasks.nested_callbacks) == ([1, 4, 9], [1, 16, 81])


def test_errors_of_children_are_told_by_their_futures():
    with triort.Executor(2) as pool:
        assert run(pool, pool_tasks.nested_errors) == ["KeyError", "NotPicklable", "CrashedCall"]


def test_futures_of_threads_and_of_the_pool_can_be_waited_for_together(pool):
    assert run(pool, pool_tasks.nested_with_thread) == [9, 16]


def test_a_thread_of_a_task_is_told_that_it_cannot_submit(pool):
    assert "own thread" in run(pool, pool_tasks.nested_from_a_thread)


def test_an_event_loop_of_a_task_is_told_that_it_cannot_submit(pool):
    assert "event loop" in run(pool, pool_tasks.nested_in_asyncio)


def test_calls_that_are_open_when_the_task_returns_are_cancelled(pool):
    assert pool.submit(pool_tasks.nested_open_at_the_end).result(LONG_S) == 1
    assert pool.submit(pool_tasks.square, 2).result(LONG_S) == 4


def test_shutdown_in_a_task_cancels_what_has_not_started(pool):
    assert run(pool, pool_tasks.nested_cancel_futures) > 0


def test_a_pool_that_is_shut_down_takes_no_more_in_a_task_either(pool):
    assert run(pool, pool_tasks.nested_after_shutdown) == "cannot schedule new futures after shutdown"


def test_a_task_may_use_the_pool_that_has_called_it(pool):
    assert pool.submit(pool_tasks.use_given, pool, 4).result(LONG_S) == 14


def test_a_deep_tree_of_tasks_that_wait_does_not_deadlock(pool):
    assert pool.submit(pool_tasks.go_down, pool, 7).result(LONG_S) == 2**8 - 1


def test_an_async_task_awaits_the_futures_and_is_told_so(pool):
    values, said = pool.submit(pool_tasks.nested_async, 4).result(LONG_S)
    assert values == [0, 1, 4, 9]
    assert "await" in said


def test_a_pool_in_a_task_takes_no_address(pool):
    assert "leave the address out" in pool.submit(pool_tasks.connect_inside, "127.0.0.1:7472").result(LONG_S)
