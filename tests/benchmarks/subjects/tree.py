"""Tasks with children: a tree of maps, three levels of ten, and Fibonacci's numbers by two submits in each task."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.peers.table import TRIORT
from tests.benchmarks.row import Figures, Row, can, timed
from tests.benchmarks.sizes import Sizes

TREE = "tree of maps, tasks/s"
TREE_SYNC = "tree of maps, sync tasks, tasks/s"
FIB = "fib by single submits, tasks/s"


async def measure(peer: Any, sizes: Sizes) -> Figures:
    nodes = sum(sizes.fan**depth for depth in range(sizes.depth + 1))
    figures = {
        TREE: nodes / await timed(peer.tree(sizes.depth, sizes.fan), nodes),
        FIB: calls(sizes.fib) / await timed(peer.fib(sizes.fib), number(sizes.fib)),
    }
    if can(peer, "tree_sync"):
        figures[TREE_SYNC] = nodes / await timed(peer.tree_sync(sizes.depth, sizes.fan), nodes)
    return figures


def calls(n: int) -> int:
    """How many tasks Fibonacci's number takes."""
    return 1 if n < 2 else 1 + calls(n - 1) + calls(n - 2)


def number(n: int) -> int:
    return n if n < 2 else number(n - 1) + number(n - 2)


TREES = Row("tree", "nested tasks: 10x10x10, fib(14)", (TRIORT, "bqskit", "dask", "ray"), measure)
