"""Workflows for the tests of `triort.testing`: one for each thing that a task can do."""

import logging

import trio

import triort
from triort.testing import always, compute, sometimes

logger = logging.getLogger("workflow")


class NotToday(Exception):
    pass


def square(x: int) -> int:
    return x * x


def fail_at_two(x: int) -> int:
    if x == 2:
        raise NotToday(x)
    return x


async def sum_of_squares(n: int) -> int:
    return sum(await triort.get_runtime().map(square, range(n)))


async def nested(n: int) -> list[int]:
    return await triort.get_runtime().map(sum_of_squares, range(n))


def sync_parent(n: int) -> int:
    rt = triort.get_runtime()
    futures = [rt.submit(square, i) for i in range(n)]
    return sum(future.result() for future in futures)


async def by_next(n: int) -> int:
    rt = triort.get_runtime()
    future = rt.map(square, range(n))
    found: dict[int, int] = {}
    while len(found) < n:
        found.update(await rt.next(future))
    return sum(index * value for index, value in found.items())


async def as_they_come(n: int) -> int:
    rt = triort.get_runtime()
    return sum([index * value async for index, value in rt.as_completed(rt.map(square, range(n)))])


async def nursery(n: int) -> list[int]:
    async with triort.open_nursery() as children:
        handles = [children.start_soon(square, i) for i in range(n)]
    return [handle.value for handle in handles]


async def nursery_with_failure() -> list[int]:
    async with triort.open_nursery() as children:
        for i in range(4):
            children.start_soon(fail_at_two, i)
    return []


async def put_and_use(n: int) -> int:
    rt = triort.get_runtime()
    shared = rt.put(list(range(n)))
    return sum(await rt.map(sum, [shared] * 3))


async def cancel_some(n: int) -> str:
    rt = triort.get_runtime()
    doomed = rt.submit(sleep_for, 3600.0)
    kept = rt.map(square, range(n))
    rt.cancel(doomed)
    try:
        await doomed
    except triort.TaskCancelled:
        return f"cancelled, {sum(await kept)}"
    return "it came"


async def sleep_for(seconds: float) -> float:
    await trio.sleep(seconds)
    return seconds


async def listen() -> str:
    rt = triort.get_runtime()
    heard: list[str] = []
    while not heard:
        heard += rt.get_messages()
        await trio.sleep(0.01)
    return heard[0]


async def talk() -> str:
    rt = triort.get_runtime()
    future = rt.submit(listen)
    rt.communicate(future, "hello")
    return await future


def fail_first() -> str:
    cache = triort.get_runtime().get_cache()
    cache["tries"] = cache.get("tries", 0) + 1
    if cache["tries"] == 1:
        raise NotToday
    return "at last"


async def try_again() -> str:
    return await triort.get_runtime().options(retries=5).submit(fail_first)


async def catch() -> str:
    try:
        await triort.get_runtime().map(fail_at_two, range(5))
    except NotToday as exc:
        return f"caught {exc}"
    return "nothing to catch"


async def raise_it() -> int:
    return sum(await triort.get_runtime().map(fail_at_two, range(5)))


def compute_for(seconds: float) -> float:
    compute(seconds)
    return seconds


def say(text: str) -> str:
    print(text)
    logger.info("logged %s", text)
    return text


def state(x: int) -> int:
    always(x >= 0, "no negative number")
    sometimes(x > 3, "a large number")
    return x
