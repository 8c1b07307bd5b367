"""What a task of a map costs, from a thousand tasks to a million: whether that stays the same."""

from __future__ import annotations

from typing import Any

from tests.benchmarks import tasks
from tests.benchmarks.peers.table import TRIORT
from tests.benchmarks.row import Figures, Row, timed
from tests.benchmarks.sizes import Sizes

RANGE = "dearest size / cheapest"


async def measure(peer: Any, sizes: Sizes) -> Figures:
    figures = {}
    for n in sizes.counts:
        items = list(range(n))
        figures[f"of {n:,}, µs/task"] = await timed(peer.map(tasks.noop, items), items) / n * 1e6
    return figures | {RANGE: max(figures.values()) / min(figures.values())}


COST = Row("cost", "the cost of a no-op in maps of many sizes", (TRIORT, "pool"), measure, shares={"pool": 0.1})
