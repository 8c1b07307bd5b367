"""Dask: a LocalCluster of processes with one thread each. Its scheduler runs in the client's process."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from distributed import Client, LocalCluster, as_completed, get_client, secede

from tests.benchmarks import tasks
from tests.benchmarks.peers.blocking import held, let_run
from tests.benchmarks.peers.peer import Fn
from tests.benchmarks.processes import by_role


class DaskPeer:
    """`map` is Client.map and gather, a single submit is Client.submit; never `pure`, or results would be reused."""

    def __init__(self, client: Client, workers: int) -> None:
        self.client = client
        self.workers = workers

    def submit(self, fn: Fn, *args: Any) -> Any:
        return self.client.submit(fn, *args, pure=False)

    async def call(self, fn: Fn, *args: Any) -> Any:
        return self.submit(fn, *args).result()

    async def map(self, fn: Fn, items: Sequence[Any]) -> list[Any]:
        return list(self.client.gather(self.client.map(fn, items, pure=False)))

    async def submits(self, fn: Fn, items: Sequence[Any]) -> list[Any]:
        return list(self.client.gather([self.submit(fn, item) for item in items]))

    async def first(self, fn: Fn, items: Sequence[Any]) -> float:
        start = time.perf_counter()
        results = as_completed(self.client.map(fn, items, pure=False))
        next(results)
        took_s = time.perf_counter() - start
        for _ in results:
            pass
        return took_s

    async def tree(self, depth: int, fan: int) -> int:
        return int(self.submit(tree, depth, fan).result())

    async def fib(self, n: int) -> int:
        return int(self.submit(fib, n).result())

    def processes(self) -> dict[str, list[int]]:
        return by_role("worker")

    async def cancel_many(self, n: int) -> float:
        start = time.perf_counter()
        futures = self.client.map(tasks.nap, [0.01] * n, pure=False)
        let_run(start)
        start = time.perf_counter()
        self.client.cancel(futures)
        self.submit(tasks.noop, 1).result()
        return time.perf_counter() - start

    @asynccontextmanager
    async def queue_map(self, items: Sequence[Any]) -> AsyncIterator[None]:
        with held(self.submit, self.workers):
            futures = self.client.map(tasks.noop, items, pure=False)
            yield
        self.client.gather(futures)


def tree(depth: int, fan: int) -> int:
    """Sync with secede: nested async tasks were seen to hang."""
    if depth == 0:
        return 1
    client = get_client()
    futures = [client.submit(tree, depth - 1, fan, pure=False) for _ in range(fan)]
    secede()
    return 1 + sum(client.gather(futures))


def fib(n: int) -> int:
    if n < 2:
        return n
    client = get_client()
    futures = [client.submit(fib, n - 1, pure=False), client.submit(fib, n - 2, pure=False)]
    secede()
    return sum(client.gather(futures))


@asynccontextmanager
async def open_peer(workers: int) -> AsyncIterator[DaskPeer]:
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=logging.ERROR,
            local_directory=tempfile.mkdtemp(),
        ) as cluster,
        Client(cluster) as client,
    ):
        yield DaskPeer(client, workers)
