"""The package trio-parallel: its only call is run_sync, with a limiter of as many as there are workers."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio
import trio_parallel

from tests.benchmarks import tasks
from tests.benchmarks.peers.blocking import RUN_S, new_folder
from tests.benchmarks.peers.peer import Fn
from tests.benchmarks.processes import by_role


class TrioParallelPeer:
    """`map` is as many trio tasks as workers that take item after item; a submit is a trio task of its own."""

    def __init__(self, context: trio_parallel.WorkerContext, workers: int) -> None:
        self.context = context
        self.workers = workers
        self.limiter = trio.CapacityLimiter(workers)

    async def call(self, fn: Fn, *args: Any) -> Any:
        return await self.context.run_sync(fn, *args, limiter=self.limiter)

    async def map(self, fn: Fn, items: Sequence[Any]) -> list[Any]:
        results: list[Any] = [None] * len(items)
        numbers = iter(range(len(items)))

        async def pull() -> None:
            for number in numbers:
                results[number] = await self.call(fn, items[number])

        async with trio.open_nursery() as nursery:
            for _ in range(self.workers):
                nursery.start_soon(pull)
        return results

    async def submits(self, fn: Fn, items: Sequence[Any]) -> list[Any]:
        results: list[Any] = [None] * len(items)

        async def one(number: int) -> None:
            results[number] = await self.call(fn, items[number])

        async with trio.open_nursery() as nursery:
            for number in range(len(items)):
                nursery.start_soon(one, number)
        return results

    async def first(self, fn: Fn, items: Sequence[Any]) -> float:
        start = time.perf_counter()
        times: list[float] = []

        async def one(item: Any) -> None:
            await self.call(fn, item)
            if not times:
                times.append(time.perf_counter() - start)

        async with trio.open_nursery() as nursery:
            for item in items:
                nursery.start_soon(one, item)
        return times[0]

    def processes(self) -> dict[str, list[int]]:
        return by_role("worker")

    async def cancel_many(self, n: int) -> float:
        """Without killing: the 10 ms of those that run are waited for."""
        async with trio.open_nursery() as nursery:
            for _ in range(n):
                nursery.start_soon(self.call, tasks.nap, 0.01)
            await trio.sleep(RUN_S)
            start = time.perf_counter()
            nursery.cancel_scope.cancel()
        await self.call(tasks.noop, 1)
        return time.perf_counter() - start

    async def interrupt(self) -> float:
        """By killing the workers, which is what it has for that."""
        folder, other = new_folder(), new_folder()
        spin = partial(self.context.run_sync, tasks.spin, folder, kill_on_cancel=True, limiter=self.limiter)
        async with trio.open_nursery() as nursery:
            for _ in range(self.workers):
                nursery.start_soon(spin)
            await trio.to_thread.run_sync(tasks.wait_noted, folder, self.workers)
            start = time.perf_counter()
            nursery.cancel_scope.cancel()
        async with trio.open_nursery() as nursery:
            for _ in range(self.workers):
                nursery.start_soon(self.call, tasks.meet, other, self.workers)
        return time.perf_counter() - start

    @asynccontextmanager
    async def queue_submits(self, items: Sequence[Any]) -> AsyncIterator[None]:
        folder, gate = new_folder(), Path(new_folder(), "gate")
        async with trio.open_nursery() as nursery:
            for _ in range(self.workers):
                nursery.start_soon(self.call, tasks.hold, folder, str(gate))
            await trio.to_thread.run_sync(tasks.wait_noted, folder, self.workers)
            for item in items:
                nursery.start_soon(self.call, tasks.noop, item)
            yield
            gate.touch()
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_peer(workers: int) -> AsyncIterator[TrioParallelPeer]:
    async with trio_parallel.open_worker_context() as context:
        yield TrioParallelPeer(context, workers)
