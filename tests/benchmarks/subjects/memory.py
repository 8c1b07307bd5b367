"""Memory of all processes of a peer: at rest, and for each task that is queued while all workers are held.

Memory is PSS, so what processes share counts once. Each repetition opens the peer anew, for what was freed once is
used again.
"""

from __future__ import annotations

import gc
from contextlib import AbstractAsyncContextManager
from typing import Any

from tests.benchmarks import processes, tasks
from tests.benchmarks.peers.table import OTHERS, TRIORT
from tests.benchmarks.row import Figures, Row, pause
from tests.benchmarks.sizes import MIB, Sizes

BY_MAP = "queued by one map, B/task"
BY_SUBMITS = "queued by single submits, B/task"
SETTLE_S = 0.3
SETTLED = 0.001
LOOKS_MAX = 100


async def total_bytes() -> int:
    """What all processes have, once that does not grow any more."""
    gc.collect()
    before, after = -1, sum(map(processes.pss_bytes, processes.family()))
    for _ in range(LOOKS_MAX):
        if before >= 0 and abs(after - before) <= SETTLED * before:
            return after
        await pause(SETTLE_S)
        before, after = after, sum(map(processes.pss_bytes, processes.family()))
    raise AssertionError("the memory of the processes does not settle")


async def at_rest(peer: Any) -> Figures:
    """For each role the mean of its processes, and the sum of all."""
    figures = {}
    for role, pids in processes.roles(peer.processes()).items():
        figures[f"at rest, {role}, MiB each"] = sum(map(processes.pss_bytes, pids)) / len(pids) / MIB
    return figures | {"at rest, all processes, MiB": await total_bytes() / MIB}


async def grown(queue: AbstractAsyncContextManager[None], before: int, n: int) -> float:
    """Bytes for each of n tasks while they are queued."""
    async with queue:
        return (await total_bytes() - before) / n


async def measure_rest(peer: Any, sizes: Sizes) -> Figures:
    await peer.map(tasks.noop, range(100))
    return await at_rest(peer)


async def measure_map(peer: Any, sizes: Sizes) -> Figures:
    return {BY_MAP: await queue_map(peer, sizes.queued)}


async def measure_million(peer: Any, sizes: Sizes) -> Figures:
    return {BY_MAP: await queue_map(peer, sizes.queued_million)}


async def queue_map(peer: Any, n: int) -> float:
    await peer.map(tasks.noop, range(1_000))
    items = list(range(n))
    return await grown(peer.queue_map(items), await total_bytes(), n)


async def measure_submits(peer: Any, sizes: Sizes) -> Figures:
    await peer.map(tasks.noop, range(1_000))
    items = list(range(sizes.queued))
    return {BY_SUBMITS: await grown(peer.queue_submits(items), await total_bytes(), len(items))}


REST = Row("rest", "idle processes", (TRIORT, "triort-2", *OTHERS), measure_rest, is_fresh=True)
MEMORY = Row(
    "memory",
    "100,000 no-ops queued by one map",
    (TRIORT, "pool", "executor", "loky", "dask"),
    measure_map,
    shares={"dask": 0.1},
    is_fresh=True,
)
MILLION = Row("million", "1,000,000 no-ops queued by one map", (TRIORT, "pool"), measure_million, is_fresh=True)
SUBMITTED = Row(
    "submitted",
    "100,000 no-ops queued by single submits",
    (TRIORT, "pool", "executor", "loky", "trio-parallel", "ray"),
    measure_submits,
    shares={"ray": 0.1},
    is_fresh=True,
)
