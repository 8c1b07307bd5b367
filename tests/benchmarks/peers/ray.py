"""Ray, on this machine alone: tasks, no actors."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}

import ray

from tests.benchmarks import tasks
from tests.benchmarks.peers.blocking import held, let_run, new_folder
from tests.benchmarks.peers.peer import Fn

STORE_BYTES = 1 << 30


class RayPeer:
    """`map` and single submits are the same: a call of a remote function for each."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.functions: dict[Fn, Any] = {}

    def submit(self, fn: Fn, *args: Any) -> Any:
        if fn not in self.functions:
            self.functions[fn] = ray.remote(max_retries=0)(fn)
        return self.functions[fn].remote(*args)

    async def call(self, fn: Fn, *args: Any) -> Any:
        return ray.get(self.submit(fn, *args))

    async def map(self, fn: Fn, items: Sequence[Any]) -> list[Any]:
        return list(ray.get([self.submit(fn, item) for item in items]))

    async def submits(self, fn: Fn, items: Sequence[Any]) -> list[Any]:
        return await self.map(fn, items)

    async def first(self, fn: Fn, items: Sequence[Any]) -> float:
        start = time.perf_counter()
        references = [self.submit(fn, item) for item in items]
        ray.wait(references, num_returns=1)
        took_s = time.perf_counter() - start
        ray.get(references)
        return took_s

    async def tree(self, depth: int, fan: int) -> int:
        return int(ray.get(tree.remote(depth, fan)))

    async def fib(self, n: int) -> int:
        return int(ray.get(fib.remote(n)))

    def processes(self) -> dict[str, list[int]]:
        return {}

    async def cancel_many(self, n: int) -> float:
        start = time.perf_counter()
        references = [self.submit(tasks.nap, 0.01) for _ in range(n)]
        let_run(start)
        start = time.perf_counter()
        for reference in references:
            ray.cancel(reference)
        ray.get(self.submit(tasks.noop, 1))
        return time.perf_counter() - start

    async def interrupt(self) -> float:
        """By force, which kills the worker."""
        folder, other = new_folder(), new_folder()
        references = [self.submit(tasks.spin, folder) for _ in range(self.workers)]
        tasks.wait_noted(folder, self.workers)
        start = time.perf_counter()
        for reference in references:
            ray.cancel(reference, force=True)
        ray.get([self.submit(tasks.meet, other, self.workers) for _ in range(self.workers)])
        return time.perf_counter() - start

    @asynccontextmanager
    async def queue_submits(self, items: Sequence[Any]) -> AsyncIterator[None]:
        with held(self.submit, self.workers):
            references = [self.submit(tasks.noop, item) for item in items]
            yield
        ray.get(references)


@ray.remote
def tree(depth: int, fan: int) -> int:
    if depth == 0:
        return 1
    return 1 + sum(ray.get([tree.remote(depth - 1, fan) for _ in range(fan)]))


@ray.remote
def fib(n: int) -> int:
    if n < 2:
        return n
    return sum(ray.get([fib.remote(n - 1), fib.remote(n - 2)]))


@asynccontextmanager
async def open_peer(workers: int) -> AsyncIterator[RayPeer]:
    ray.init(
        num_cpus=workers,
        include_dashboard=False,
        logging_level=logging.ERROR,
        log_to_driver=False,
        object_store_memory=STORE_BYTES,
        _temp_dir=tempfile.mkdtemp(prefix="r"),
        _node_ip_address="127.0.0.1",
    )
    try:
        yield RayPeer(workers)
    finally:
        ray.shutdown()
