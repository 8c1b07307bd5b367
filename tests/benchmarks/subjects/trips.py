"""One task after the other: how long each takes to go and come back.

A task's child runs on the worker of its parent, or on another one; a client's job goes through the server, and through
each level of managers. Peers without nested tasks stand in all three places with their call from the client.
"""

from __future__ import annotations

from typing import Any

from tests.benchmarks import tasks
from tests.benchmarks.peers.table import LEVELS, TRIORT
from tests.benchmarks.row import Figures, Found, Row, can, percentile, timed
from tests.benchmarks.sizes import Sizes

HERE = "child on the same worker"
ELSEWHERE = "child on another worker"
JOB = "job from a client"
ADDED = "added by the last level of managers, p50 µs"


def p50(name: str) -> str:
    return f"{name}, p50 µs"


def p99(name: str) -> str:
    return f"{name}, p99 µs"


def both(name: str, seconds: list[float]) -> Figures:
    return {p50(name): percentile(seconds, 0.5) * 1e6, p99(name): percentile(seconds, 0.99) * 1e6}


async def measure(peer: Any, sizes: Sizes) -> Figures:
    job = [await timed(peer.call(tasks.noop, i)) for i in range(sizes.trips)]
    if not can(peer, "children"):
        return both(JOB, job) | both(HERE, job) | both(ELSEWHERE, job)
    children = await peer.children(sizes.trips)
    if isinstance(children, list):  # on whichever worker
        return both(JOB, job) | both(HERE, children) | both(ELSEWHERE, children)
    figures = both(JOB, job)
    for name, seconds in zip((HERE, ELSEWHERE), children, strict=True):
        if len(seconds) < sizes.trips / 2:
            raise AssertionError(f"{name}: only {len(seconds)} of {sizes.trips} tasks ran there")
        figures |= both(name, seconds)
    return figures


def derive(found: Found) -> Found:
    """What each level of managers adds to the one before it."""
    added: Found = {}
    for below, peer in zip((TRIORT, *LEVELS), LEVELS, strict=False):
        if below in found and peer in found:
            added[peer] = {ADDED: found[peer][p50(JOB)] - found[below][p50(JOB)]}
    return added


TRIPS = Row(
    "trips",
    "500 round trips, one after the other",
    (TRIORT, *LEVELS, "pool", "executor", "loky", "trio-parallel", "bqskit"),
    measure,
    derive=derive,
    shares={"bqskit": 0.1},
)
MORE_TRIPS = Row(
    "trips-more",
    "the same beside peers whose daemons are never quite idle",
    (TRIORT, "dask", "ray"),
    measure,
    shares={"dask": 0.2, "ray": 0.4},
)
