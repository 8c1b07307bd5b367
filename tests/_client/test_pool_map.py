"""Maps of the Executor: order, chunks, failures, time limits, and items that are asked for late."""

import concurrent.futures
from collections.abc import Iterator

import pytest

from tests._client import pool_tasks

pytestmark = pytest.mark.processes
LONG_S = 30


def test_a_map_is_in_order_in_chunks_or_not(pool):
    expected = [x * x for x in range(40)]
    for chunksize in (1, 6, 40, 50):
        assert list(pool.map(pow, range(40), [2] * 40, chunksize=chunksize)) == expected
    assert list(pool.map(pool_tasks.square, [])) == []
    assert list(pool.map(pool_tasks.add, range(3), range(9))) == [0, 2, 4]


@pytest.mark.parametrize("chunksize", [1, 2])
def test_a_map_raises_where_its_first_failed_call_is(pool, chunksize):
    results = pool.map(divmod, [1, 1, 1, 1], [2, 3, 0, 5], chunksize=chunksize)
    assert [next(results), next(results)] == [(0, 1), (0, 1)]
    with pytest.raises(ZeroDivisionError):
        next(results)
    with pytest.raises(StopIteration):
        next(results)


def test_a_map_that_times_out_cancels_what_runs(pool):
    values = []
    with pytest.raises(concurrent.futures.TimeoutError):
        for value in pool.map(pool_tasks.nap, [0, 60], timeout=0.3):
            values.append(value)
    assert values == [None]
    assert list(pool.map(pool_tasks.square, range(4), timeout=LONG_S)) == [0, 1, 4, 9]


@pytest.mark.parametrize(("chunksize", "per_task"), [(1, 1), (3, 3)])
def test_a_map_with_a_buffer_asks_for_its_items_as_they_are_needed(pool, chunksize, per_task):
    asked: list[int] = []

    def items() -> Iterator[int]:
        for i in range(1_000_000):
            asked.append(i)
            yield i

    results = pool.map(pool_tasks.square, items(), chunksize=chunksize, buffersize=2)
    assert len(asked) == 2 * per_task
    assert [next(results) for _ in range(4 * per_task)] == [x * x for x in range(4 * per_task)]
    assert len(asked) == 6 * per_task
    results.close()
