"""What a task of a map costs, from a thousand tasks to a million: whether that stays the same."""

from __future__ import annotations

import statistics
from typing import Any

from tests.benchmarks import tasks
from tests.benchmarks.peers.table import TRIORT
from tests.benchmarks.row import Figures, Row, timed
from tests.benchmarks.sizes import Sizes

ENOUGH = 10_000
"""Small maps run so often that they have so many tasks together; their median counts."""
RANGE = "dearest size / cheapest"


async def measure(peer: Any, sizes: Sizes) -> Figures:
    figures = {}
    for n in sizes.counts:
        items = list(range(n))
        seconds = [await timed(peer.map(tasks.noop, items), items) for _ in range(max(ENOUGH // n, 1))]
        figures[f"of {n:,}, µs/task"] = statistics.median(seconds) / n * 1e6
    return figures | {RANGE: max(figures.values()) / min(figures.values())}


COST = Row("cost", "the cost of a no-op in maps of many sizes", (TRIORT, "pool"), measure, shares={"pool": 0.1})
