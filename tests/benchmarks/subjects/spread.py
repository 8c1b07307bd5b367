"""Short tasks with a few long ones among them: how near the whole comes to what two workers need at least.

The long ones sleep, so that the figure tells of placement and not of who else uses the CPUs. And a map of no-ops: how
soon its first result is there.
"""

from __future__ import annotations

import random
from typing import Any

from tests.benchmarks import tasks
from tests.benchmarks.peers.table import OTHERS, TRIORT
from tests.benchmarks.row import Figures, Row, timed
from tests.benchmarks.sizes import Sizes

MAKESPAN = "makespan / lower bound"
FIRST = "first result of a map, ms"
SEED = 7


async def measure_makespan(peer: Any, sizes: Sizes) -> Figures:
    naps = [0.0] * sizes.spread
    for place in random.Random(SEED).sample(range(sizes.spread), sizes.spread // sizes.long_each):
        naps[place] = sizes.long_s
    bound_s = max(sum(naps) / peer.workers, sizes.long_s)
    return {MAKESPAN: await timed(peer.map(tasks.nap, naps), naps) / bound_s}


async def measure_first(peer: Any, sizes: Sizes) -> Figures:
    return {FIRST: 1e3 * await peer.first(tasks.noop, list(range(sizes.flat)))}


SPREAD = Row("makespan", "10,000 tasks, 1 % of them take 100 ms", (TRIORT, *OTHERS), measure_makespan)
EARLY = Row("first", "a map of 10,000 no-ops", (TRIORT, *OTHERS), measure_first, shares={"dask": 0.1, "ray": 0.1})
