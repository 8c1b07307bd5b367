"""Task functions that have children, for the tests of clients and clusters; workers import this module."""

import threading
import time
from typing import Any

import trio

import triort
from tests._client.jobs import (
    Expected,
    fail,
    fail_at_three,
    fail_or_spin,
    fail_until,
    pick,
    refused_in_a_thread,
    sleep_long,
    spin,
    square,
)


async def tree(depth: int, fan: int) -> int:
    if depth == 0:
        return 1
    return 1 + sum(await triort.get_runtime().map(tree, [depth - 1] * fan, [fan] * fan))


def sync_tree(depth: int, fan: int) -> int:
    if depth == 0:
        return 1
    return 1 + sum(triort.get_runtime().map(sync_tree, [depth - 1] * fan, [fan] * fan).result())


async def nest(depth: int) -> int:
    return 0 if depth == 0 else 1 + await triort.get_runtime().submit(nest, depth - 1)


def sync_nest(depth: int) -> int:
    return 0 if depth == 0 else 1 + triort.get_runtime().submit(sync_nest, depth - 1).result()


async def spin_below(depth: int) -> None:
    """A chain of tasks whose last one keeps the CPU."""
    await triort.get_runtime().submit(*((spin_below, depth - 1) if depth else (spin,)))


async def sum_of_squares(n: int) -> int:
    return sum(await triort.get_runtime().map(square, range(n)))


async def catch_failure() -> str:
    try:
        await triort.get_runtime().submit(fail, "caught")
    except Expected as exc:
        return f"{exc} because of {type(exc.__cause__).__name__}"
    return "nothing"


async def map_that_fails() -> str:
    try:
        await triort.get_runtime().map(fail_at_three, range(100))
    except Expected as exc:
        return str(exc)
    return "nothing"


async def scope_around(fn: Any) -> tuple[bool, float]:
    """Run a child in a scope of 0.1 s: whether the scope caught it, and after how long."""
    start = time.perf_counter()
    with trio.move_on_after(0.1) as scope:
        await triort.get_runtime().submit(fn)
    return scope.cancelled_caught, time.perf_counter() - start


async def many_children(n: int) -> tuple[int, int]:
    """Await so many sync children, one after the other: their sum, and how often another trio task had its turn."""
    turns = total = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take_turns)
        for i in range(n):
            total += await triort.get_runtime().submit(square, i)
        nursery.cancel_scope.cancel()
    return total, turns


async def children_until(seconds: float) -> tuple[bool, float]:
    """Await sync children in a scope of so many seconds: whether it has ended them, and after how long."""
    start = time.perf_counter()
    with trio.move_on_after(seconds) as scope:
        while True:
            await triort.get_runtime().submit(square, 2)
    return scope.cancelled_caught, time.perf_counter() - start


async def child_timeout(fn: Any) -> str:
    try:
        await triort.get_runtime().options(timeout_s=0.1).submit(fn)
    except triort.TaskTimeout as exc:
        return str(exc)
    return "no timeout"


async def leave_children_open() -> str:
    runtime = triort.get_runtime()
    runtime.submit(spin)
    runtime.submit(sleep_long)
    return "returned"


async def cancel_child() -> str:
    runtime = triort.get_runtime()
    future = runtime.submit(spin)
    await trio.sleep(0.02)
    runtime.cancel(future)
    try:
        await future
    except triort.TaskCancelled as exc:
        return str(exc)
    return "not cancelled"


async def take_by_next(n: int) -> list[tuple[int, int]]:
    runtime = triort.get_runtime()
    future = runtime.map(square, range(n))
    taken: list[tuple[int, int]] = []
    while len(taken) < n:
        batch = await runtime.next(future)
        assert batch
        taken += batch
    try:
        await runtime.next(future)
    except triort.UsageError:
        return sorted(taken)
    raise AssertionError("next went on after the last result")


async def take_as_completed(n: int) -> list[tuple[int, int]]:
    runtime = triort.get_runtime()
    return sorted([pair async for pair in runtime.as_completed(runtime.map(square, range(n)))])


def wait_for_message() -> list[str]:
    end = time.perf_counter() + 10
    while time.perf_counter() < end:
        messages = triort.get_runtime().get_messages()
        if messages:
            return messages
    return []


async def talk() -> list[str]:
    runtime = triort.get_runtime()
    future = runtime.submit(wait_for_message)
    runtime.communicate(future, "hello")
    return await future


async def share_values(n: int) -> list[int]:
    runtime = triort.get_runtime()
    ref = runtime.put(list(range(n)))
    return await runtime.map(pick, [ref] * n, range(n))


async def use_nursery(n: int) -> list[int]:
    async with triort.open_nursery() as nursery:
        handles = [nursery.start_soon(square, i) for i in range(n)]
    return [handle.value for handle in handles]


async def nursery_that_fails() -> str:
    try:
        async with triort.open_nursery() as nursery:
            nursery.start_soon(spin)
            nursery.start_soon(fail, "in the nursery")
    except ExceptionGroup as group:
        return repr(group.exceptions)
    return "no group"


def count_in_cache() -> int:
    cache = triort.get_runtime().get_cache()
    cache["n"] = cache.get("n", 0) + 1
    return int(cache["n"])


async def retry_child(path: str, times: int, retries: int) -> int:
    return await triort.get_runtime().options(retries=retries).submit(fail_until, path, times)


def get_runtime_in_thread() -> str:
    return refused_in_a_thread(triort.get_runtime)


async def submit_a_lock() -> str:
    try:
        triort.get_runtime().submit(square, threading.Lock())
    except triort.UsageError as exc:
        return str(exc)
    return "accepted"


async def submit_a_future() -> str:
    runtime = triort.get_runtime()
    future = runtime.submit(square, 2)
    try:
        runtime.submit(square, future)
    except triort.UsageError as exc:
        return str(exc)
    finally:
        await future
    return "accepted"


async def map_that_fails_beside_a_spin() -> tuple[str, float]:
    start = time.perf_counter()
    try:
        await triort.get_runtime().map(fail_or_spin, ["fail", "spin"])
    except Expected as exc:
        return str(exc), time.perf_counter() - start
    raise AssertionError("nothing was raised")


def add(x: int, *, y: int = 0) -> int:
    return x + y


async def map_with_keywords() -> list[int]:
    return await triort.get_runtime().map(add, range(3), y=10)
