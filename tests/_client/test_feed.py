"""Large maps go to the server in pieces: results come early, and what goes wrong late still ends the job."""

import itertools
import threading

import pytest
import trio

import triort
from tests._client import jobs

pytestmark = pytest.mark.processes

MANY = 5_000
VERY_MANY = 10 * MANY
"""To pickle so many arguments takes longer than a worker waits for a CPU on a busy machine."""


class Counted:
    """An argument that counts how many of its kind have been pickled."""

    num_pickled = 0

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self):
        Counted.num_pickled += 1
        return int, (self.number,)


@pytest.fixture
async def client():
    Counted.num_pickled = 0
    async with triort.open_cluster(2) as client:
        with trio.fail_after(60):
            yield client


async def test_the_first_result_does_not_wait_for_the_last_argument(client):
    seen: list[int] = []
    async for index, value in client.as_completed(jobs.square, map(Counted, range(VERY_MANY))):
        if not seen:
            assert Counted.num_pickled < VERY_MANY
        assert value == index * index
        seen.append(index)
    assert sorted(seen) == list(range(VERY_MANY))
    assert Counted.num_pickled == VERY_MANY


@pytest.mark.parametrize("progress", [False, True])
async def test_a_map_gives_all_values_in_order(client, progress):
    assert await client.map(jobs.square, range(MANY), progress=progress) == [number * number for number in range(MANY)]
    assert await client.map(jobs.square, [], progress=progress) == []


async def test_a_map_takes_any_iterables_and_ends_with_the_shortest(client):
    expected = [number * number for number in range(700)]
    for items in (range(700), iter(range(700)), dict.fromkeys(range(700)), (number for number in range(700))):
        assert await client.map(jobs.square, items) == expected
    assert await client.map(pow, itertools.count(), [2] * 700) == expected
    with pytest.raises(triort.UsageError, match="map needs at least one iterable"):
        await client.map(jobs.square)


async def test_an_argument_that_cannot_be_pickled_ends_a_map_that_has_begun(client):
    items = [*range(MANY), threading.Lock()]
    for progress in (False, True):
        with pytest.raises(triort.UsageError, match=r"argument 1 of square \(lock\) cannot be pickled"):
            await client.map(jobs.square, items, progress=progress)
    with pytest.raises(triort.UsageError, match="argument 1 of square"):
        async for _ in client.as_completed(jobs.square, items):
            pass
    assert await client.map(jobs.square, range(3)) == [0, 1, 4]
    while (await client.status()).tasks:
        await trio.sleep(0.01)


async def test_a_map_that_fails_early_pickles_no_more(client):
    with pytest.raises(jobs.Expected):
        await client.map(jobs.fail_at_three, map(Counted, range(20 * MANY)))
    assert Counted.num_pickled < 20 * MANY
    assert (await client.status()).tasks == 0


async def test_a_map_may_be_cancelled_while_it_is_sent(client):
    with trio.move_on_after(0.05) as scope:
        await client.map(jobs.square, map(Counted, range(100 * MANY)))
    assert scope.cancelled_caught
    assert Counted.num_pickled < 100 * MANY
    assert (await client.status()).tasks == 0


async def test_leaving_an_iteration_early_sends_no_more(client):
    async for _ in client.as_completed(jobs.square, map(Counted, range(20 * MANY))):
        break
    while (await client.status()).tasks:
        await trio.sleep(0.01)
    assert Counted.num_pickled < 20 * MANY
