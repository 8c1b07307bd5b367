"""BQSKit's passes and tasks with children, importable in its workers."""

from __future__ import annotations

import time
from typing import Any

from bqskit.compiler import BasePass
from bqskit.runtime import get_runtime

from tests.benchmarks import tasks
from tests.benchmarks.peers.peer import Fn


class Call(BasePass):
    def __init__(self, fn: Fn, args: tuple[Any, ...]) -> None:
        self.fn, self.args = fn, args

    async def run(self, circuit: Any, data: Any) -> None:
        data["out"] = await get_runtime().submit(self.fn, *self.args)


class Map(BasePass):
    def __init__(self, fn: Fn, items: list[Any]) -> None:
        self.fn, self.items = fn, items

    async def run(self, circuit: Any, data: Any) -> None:
        data["out"] = await get_runtime().map(self.fn, self.items)


class Submits(BasePass):
    def __init__(self, fn: Fn, items: list[Any]) -> None:
        self.fn, self.items = fn, items

    async def run(self, circuit: Any, data: Any) -> None:
        futures = [get_runtime().submit(self.fn, item) for item in self.items]
        data["out"] = [await future for future in futures]


class TimedSubmits(BasePass):
    def __init__(self, n: int) -> None:
        self.n = n

    async def run(self, circuit: Any, data: Any) -> None:
        start = time.perf_counter()
        for future in [get_runtime().submit(tasks.noop, i) for i in range(self.n)]:
            await future
        data["out"] = time.perf_counter() - start


class First(BasePass):
    def __init__(self, fn: Fn, items: list[Any]) -> None:
        self.fn, self.items = fn, items

    async def run(self, circuit: Any, data: Any) -> None:
        start = time.perf_counter()
        future = get_runtime().map(self.fn, self.items)
        left = len(self.items) - len(await get_runtime().next(future))
        data["out"] = time.perf_counter() - start
        while left:
            left -= len(await get_runtime().next(future))


class Children(BasePass):
    def __init__(self, n: int) -> None:
        self.n = n

    async def run(self, circuit: Any, data: Any) -> None:
        times = []
        for i in range(self.n):
            start = time.perf_counter()
            await get_runtime().submit(tasks.noop, i)
            times.append(time.perf_counter() - start)
        data["out"] = times


async def tree(depth: int, fan: int) -> int:
    if depth == 0:
        return 1
    return 1 + sum(await get_runtime().map(tree, [depth - 1] * fan, [fan] * fan))


async def fib(n: int) -> int:
    if n < 2:
        return n
    left, right = get_runtime().submit(fib, n - 1), get_runtime().submit(fib, n - 2)
    return int(await left) + int(await right)
