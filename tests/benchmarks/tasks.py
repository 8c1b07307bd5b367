"""Task functions of the benchmarks; workers of all peers import this module."""

import time

import triort


def noop(x: int) -> int:
    return x


async def noop_async(x: int) -> int:
    return x


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


async def await_children(n: int) -> list[float]:
    """Seconds that each of n awaited children took, one after the other."""
    runtime = triort.get_runtime()
    times = []
    for i in range(n):
        start = time.perf_counter()
        await runtime.submit(noop, i)
        times.append(time.perf_counter() - start)
    return times
