"""Tasks with children, by triort."""

import os
import time
from collections.abc import Callable

import triort
from tests.benchmarks import tasks

PAIRS_MAX = 20


async def tree(depth: int, fan: int) -> int:
    if depth == 0:
        return 1
    return 1 + sum(await triort.get_runtime().map(tree, [depth - 1] * fan, [fan] * fan))


def tree_sync(depth: int, fan: int) -> int:
    if depth == 0:
        return 1
    return 1 + sum(triort.get_runtime().map(tree_sync, [depth - 1] * fan, [fan] * fan).result())


async def fib(n: int) -> int:
    if n < 2:
        return n
    runtime = triort.get_runtime()
    left, right = runtime.submit(fib, n - 1), runtime.submit(fib, n - 2)
    return int(await left) + int(await right)


async def submits(fn: Callable[[int], int], n: int) -> float:
    """Seconds for n children, each submitted by itself, all at once."""
    runtime = triort.get_runtime()
    start = time.perf_counter()
    for future in [runtime.submit(fn, i) for i in range(n)]:
        await future
    return time.perf_counter() - start


async def children_here(n: int) -> list[float]:
    """Seconds that awaited children took, one after the other, those that ran in this very process."""
    runtime, me = triort.get_runtime(), os.getpid()
    times = []
    for i in range(n):
        start = time.perf_counter()
        where = await runtime.submit(tasks.pid, i)
        if where == me:
            times.append(time.perf_counter() - start)
    return times


async def children_elsewhere(n: int) -> list[float]:
    """The same for n children that ran in another process.

    A worker keeps one child for itself and offers the others. So two are submitted at once, and the time is that of the
    one that came back from elsewhere; the other one runs here while that is on its way. Sometimes both run here: nobody
    has asked for offers yet since the last ones. Such pairs do not count.
    """
    runtime, me = triort.get_runtime(), os.getpid()
    times: list[float] = []
    for _ in range(PAIRS_MAX * n):
        if len(times) >= n:
            break
        start = time.perf_counter()
        pair = runtime.map(tasks.pid, (0, 1))
        left = 2
        while left:
            for _, where in await runtime.next(pair):
                left -= 1
                if where != me:
                    times.append(time.perf_counter() - start)
    return times
