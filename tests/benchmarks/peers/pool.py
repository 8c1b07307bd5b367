"""Pool, of multiprocessing."""

from __future__ import annotations

import multiprocessing
import multiprocessing.pool
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tests.benchmarks import tasks
from tests.benchmarks.peers.blocking import held, let_run, new_folder
from tests.benchmarks.peers.peer import Fn
from tests.benchmarks.processes import by_role


class PoolPeer:
    """`map` is Pool.map with chunksize 1, a single submit is apply_async."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.pool = self._open()

    def _open(self) -> multiprocessing.pool.Pool:
        return multiprocessing.get_context("fork").Pool(self.workers)

    def close(self) -> None:
        self.pool.terminate()
        self.pool.join()

    async def call(self, fn: Fn, *args: Any) -> Any:
        return self.pool.apply(fn, args)

    async def map(self, fn: Fn, items: Sequence[Any]) -> list[Any]:
        return self.pool.map(fn, items, chunksize=1)

    async def submits(self, fn: Fn, items: Sequence[Any]) -> list[Any]:
        return [result.get() for result in [self.pool.apply_async(fn, (item,)) for item in items]]

    async def first(self, fn: Fn, items: Sequence[Any]) -> float:
        start = time.perf_counter()
        results = self.pool.imap_unordered(fn, items)
        next(results)
        took_s = time.perf_counter() - start
        for _ in results:
            pass
        return took_s

    def processes(self) -> dict[str, list[int]]:
        return by_role("worker")

    async def cancel_many(self, n: int) -> float:
        """A pool cannot cancel: the only way is to end it and to open another."""
        start = time.perf_counter()
        for _ in range(n):
            self.pool.apply_async(tasks.nap, (0.01,))
        let_run(start)
        start = time.perf_counter()
        self._reopen()
        self.pool.apply(tasks.noop, (1,))
        return time.perf_counter() - start

    async def interrupt(self) -> float:
        """As `cancel_many`."""
        folder, other = new_folder(), new_folder()
        for _ in range(self.workers):
            self.pool.apply_async(tasks.spin, (folder,))
        tasks.wait_noted(folder, self.workers)
        start = time.perf_counter()
        self._reopen()
        for result in [self.pool.apply_async(tasks.meet, (other, self.workers)) for _ in range(self.workers)]:
            result.get()
        return time.perf_counter() - start

    def _reopen(self) -> None:
        self.close()
        self.pool = self._open()

    @asynccontextmanager
    async def queue_map(self, items: Sequence[Any]) -> AsyncIterator[None]:
        with held(lambda fn, *args: self.pool.apply_async(fn, args), self.workers):
            result = self.pool.map_async(tasks.noop, items, chunksize=1)
            yield
        result.get()

    @asynccontextmanager
    async def queue_submits(self, items: Sequence[Any]) -> AsyncIterator[None]:
        with held(lambda fn, *args: self.pool.apply_async(fn, args), self.workers):
            results = [self.pool.apply_async(tasks.noop, (item,)) for item in items]
            yield
        for result in results:
            result.get()


@asynccontextmanager
async def open_peer(workers: int) -> AsyncIterator[PoolPeer]:
    peer = PoolPeer(workers)
    try:
        yield peer
    finally:
        peer.close()
