"""Many tasks that do nothing: by one map, each submitted by itself, and each submitted by itself within a task."""

from __future__ import annotations

from typing import Any

from tests.benchmarks import tasks
from tests.benchmarks.peers.table import OTHERS, TRIORT
from tests.benchmarks.row import Figures, Row, can, timed
from tests.benchmarks.sizes import Sizes

MAP = "map, tasks/s"
MAP_ASYNC = "map of async tasks, tasks/s"
SUBMITS = "single submits, tasks/s"
INSIDE = "single submits in a task, tasks/s"


async def measure(peer: Any, sizes: Sizes) -> Figures:
    items, n = list(range(sizes.flat)), sizes.flat
    figures = {
        MAP: n / await timed(peer.map(tasks.noop, items), items),
        SUBMITS: n / await timed(peer.submits(tasks.noop, items), items),
    }
    if can(peer, "submits_inside"):
        figures[INSIDE] = n / await peer.submits_inside(n)
    if can(peer, "tree_sync"):  # triort, which takes async functions, too
        figures[MAP_ASYNC] = n / await timed(peer.map(tasks.noop_async, items), items)
    return figures


FLAT = Row("flat", "10,000 no-ops", (TRIORT, *OTHERS), measure, shares={"dask": 0.1, "ray": 0.1})
