"""The ProcessPoolExecutor of concurrent.futures, and loky's executor, which has the same interface."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import asynccontextmanager
from typing import Any

from tests.benchmarks import tasks
from tests.benchmarks.peers.blocking import held, let_run
from tests.benchmarks.peers.peer import Fn
from tests.benchmarks.processes import by_role


class ExecutorPeer:
    """`map` is Executor.map with its chunksize of 1, which submits each item by itself."""

    def __init__(self, executor: Executor, workers: int) -> None:
        self.executor = executor
        self.workers = workers

    async def call(self, fn: Fn, *args: Any) -> Any:
        return self.executor.submit(fn, *args).result()

    async def map(self, fn: Fn, items: Sequence[Any]) -> list[Any]:
        return list(self.executor.map(fn, items, chunksize=1))

    async def submits(self, fn: Fn, items: Sequence[Any]) -> list[Any]:
        return [future.result() for future in [self.executor.submit(fn, item) for item in items]]

    async def first(self, fn: Fn, items: Sequence[Any]) -> float:
        start = time.perf_counter()
        futures = [self.executor.submit(fn, item) for item in items]
        concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_COMPLETED)
        took_s = time.perf_counter() - start
        concurrent.futures.wait(futures)
        return took_s

    def processes(self) -> dict[str, list[int]]:
        return by_role("worker")

    async def cancel_many(self, n: int) -> float:
        start = time.perf_counter()
        futures: list[Future[Any]] = [self.executor.submit(tasks.nap, 0.01) for _ in range(n)]
        let_run(start)
        start = time.perf_counter()
        for future in futures:
            future.cancel()
        self.executor.submit(tasks.noop, 1).result()
        return time.perf_counter() - start

    @asynccontextmanager
    async def queue_map(self, items: Sequence[Any]) -> AsyncIterator[None]:
        with held(self.executor.submit, self.workers):
            results = self.executor.map(tasks.noop, items, chunksize=1)
            yield
        for _ in results:
            pass

    @asynccontextmanager
    async def queue_submits(self, items: Sequence[Any]) -> AsyncIterator[None]:
        with held(self.executor.submit, self.workers):
            futures = [self.executor.submit(tasks.noop, item) for item in items]
            yield
        concurrent.futures.wait(futures)


@asynccontextmanager
async def open_peer(workers: int) -> AsyncIterator[ExecutorPeer]:
    with concurrent.futures.ProcessPoolExecutor(workers) as executor:
        yield ExecutorPeer(executor, workers)
