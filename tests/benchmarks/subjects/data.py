"""Large values in and out: one of 64 MiB, as bytes and as an array of numpy, and 200 of 1 MiB."""

from __future__ import annotations

import importlib.util
import operator
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from tests.benchmarks import processes, tasks
from tests.benchmarks.peers.table import OTHERS, TRIORT
from tests.benchmarks.row import Figures, Row
from tests.benchmarks.sizes import MIB, Sizes
from tests.benchmarks.subjects.levels import cpu_s

Same = Callable[[Any, Any], bool]

ECHO = "bytes in and out, MiB/s"
ARRAY = "numpy array in and out, MiB/s"
MANY_IN = "many pieces in, MiB/s"
MANY = "many pieces in and out, MiB/s"


async def measure(peer: Any, sizes: Sizes) -> Figures:
    blob = os.urandom(sizes.blob_bytes)
    pieces = [os.urandom(sizes.piece_bytes) for _ in range(sizes.pieces)]
    mib, many_mib = sizes.blob_bytes / MIB, sizes.pieces * sizes.piece_bytes / MIB
    figures = await moved(ECHO, 2 * mib, peer.call(tasks.echo, blob), blob)
    if importlib.util.find_spec("numpy") is not None:
        figures |= await array_moved(peer, blob)
    lengths = [len(piece) for piece in pieces]
    figures |= await moved(MANY_IN, many_mib, peer.map(tasks.length, pieces), lengths)
    return figures | await moved(MANY, 2 * many_mib, peer.map(tasks.echo, pieces), pieces)


async def moved(name: str, mib: float, call: Awaitable[Any], expected: Any, same: Same = operator.eq) -> Figures:
    """The rate of a call that moves so much, and the CPU time of all processes meanwhile, which tells more of copies
    where others use the CPUs."""
    pids = processes.family()
    before_s = cpu_s(pids)
    start = time.perf_counter()
    back = await call
    took_s = time.perf_counter() - start
    spent_ms = (cpu_s(pids) - before_s) * 1e3
    assert same(expected, back)
    return {name: mib / took_s, name.replace("MiB/s", "CPU, ms"): spent_ms}


async def array_moved(peer: Any, blob: bytes) -> Figures:
    """The same bytes as an array."""
    import numpy as np

    await peer.map(tasks.import_numpy, range(2 * peer.workers))
    array = np.frombuffer(blob, dtype=np.uint8)
    return await moved(ARRAY, 2 * len(blob) / MIB, peer.call(tasks.echo, array), array, np.array_equal)


DATA = Row("data", "64 MiB in one piece, 200 MiB in pieces of 1 MiB", (TRIORT, *OTHERS), measure)
