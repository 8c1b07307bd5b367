"""Taking tasks back: 5,000 queued and running ones, and code that never ends by itself."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.peers.table import TRIORT
from tests.benchmarks.row import Figures, Row
from tests.benchmarks.sizes import Sizes

CANCEL = "cancel of all until a new task is done, ms"
INTERRUPT = "cancel until all workers are usable, ms"


async def measure_cancel(peer: Any, sizes: Sizes) -> Figures:
    return {CANCEL: 1e3 * await peer.cancel_many(sizes.cancelled)}


async def measure_interrupt(peer: Any, sizes: Sizes) -> Figures:
    return {INTERRUPT: 1e3 * await peer.interrupt()}


CANCELS = Row(
    "cancel",
    "5,000 tasks of 10 ms, cancelled after 200 ms",
    (TRIORT, "pool", "executor", "loky", "trio-parallel", "bqskit", "dask", "ray"),
    measure_cancel,
)
INTERRUPTS = Row(
    "interrupt", "an endless loop on each worker", (TRIORT, "pool", "trio-parallel", "ray"), measure_interrupt
)
