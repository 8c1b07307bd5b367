"""The executor behind joblib, loky."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import loky

from tests.benchmarks.peers.futures import ExecutorPeer


@asynccontextmanager
async def open_peer(workers: int) -> AsyncIterator[ExecutorPeer]:
    executor = loky.get_reusable_executor(max_workers=workers, timeout=None)
    try:
        yield ExecutorPeer(executor, workers)
    finally:
        executor.shutdown()
