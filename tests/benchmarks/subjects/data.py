"""Large values in and out: one of 64 MiB, as bytes and as an array of numpy, and 200 of 1 MiB."""

from __future__ import annotations

import importlib.util
import os
import time
from typing import Any

from tests.benchmarks import tasks
from tests.benchmarks.peers.table import OTHERS, TRIORT
from tests.benchmarks.row import Figures, Row, timed
from tests.benchmarks.sizes import MIB, Sizes

ECHO = "bytes in and out, MiB/s"
ARRAY = "numpy array in and out, MiB/s"
MANY_IN = "many pieces in, MiB/s"
MANY = "many pieces in and out, MiB/s"


async def measure(peer: Any, sizes: Sizes) -> Figures:
    blob = os.urandom(sizes.blob_bytes)
    pieces = [os.urandom(sizes.piece_bytes) for _ in range(sizes.pieces)]
    mib, many_mib = sizes.blob_bytes / MIB, sizes.pieces * sizes.piece_bytes / MIB
    figures = {ECHO: 2 * mib / await timed(peer.call(tasks.echo, blob), blob)}
    if importlib.util.find_spec("numpy") is not None:
        figures[ARRAY] = 2 * mib / await array_s(peer, blob)
    figures[MANY_IN] = many_mib / await timed(peer.map(tasks.length, pieces), [len(piece) for piece in pieces])
    figures[MANY] = 2 * many_mib / await timed(peer.map(tasks.echo, pieces), pieces)
    return figures


async def array_s(peer: Any, blob: bytes) -> float:
    """Seconds for the same bytes as an array."""
    import numpy as np

    await peer.map(tasks.import_numpy, range(2 * peer.workers))
    array = np.frombuffer(blob, dtype=np.uint8)
    start = time.perf_counter()
    back = await peer.call(tasks.echo, array)
    took_s = time.perf_counter() - start
    assert np.array_equal(array, back)
    return took_s


DATA = Row("data", "64 MiB in one piece, 200 MiB in pieces of 1 MiB", (TRIORT, *OTHERS), measure)
