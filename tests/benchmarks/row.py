"""What a row of the suite is: something that is measured for some peers, and gives one figure or several."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import attrs

from tests.benchmarks.sizes import Sizes

Figures = dict[str, float]
"""What one repetition gave for one peer, by the name of the figure, which ends with its unit."""
Found = dict[str, Figures]
"""The same by peer."""


@attrs.frozen
class Row:
    """Peers are asked in turn, once each in a repetition."""

    name: str
    title: str
    peers: tuple[str, ...]
    measure: Callable[[Any, Sizes], Awaitable[Figures]] | None = None
    """Runs in the process that has opened the peer."""
    measure_here: Callable[[str, int], Figures] | None = None
    """Or in the suite's own process, which then opens no peer; gets its key and the number of workers."""
    derive: Callable[[Found], Found] | None = None
    """Adds figures that follow from those of several peers."""
    shares: Mapping[str, float] = {}
    """Peers that get only a share of the tasks, for they would take minutes."""
    is_fresh: bool = False
    """Whether each repetition opens the peer anew."""

    def sizes_for(self, peer: str, sizes: Sizes) -> Sizes:
        return sizes.shared(self.shares[peer]) if peer in self.shares else sizes


def percentile(seconds: Sequence[float], share: float) -> float:
    """The smallest value that so many of all do not exceed."""
    ordered = sorted(seconds)
    return ordered[max(math.ceil(len(ordered) * share) - 1, 0)]


async def timed(call: Awaitable[Any], expected: Any = None) -> float:
    """Seconds until a call has returned; what it gave is checked afterwards, where something is expected."""
    start = time.perf_counter()
    value = await call
    took_s = time.perf_counter() - start
    if expected is not None and value != expected:
        raise AssertionError(f"a peer has returned {str(value)[:200]}")
    return took_s


def can(peer: Any, *operations: str) -> bool:
    return all(hasattr(peer, operation) for operation in operations)


async def pause(seconds: float) -> None:
    """Wait, and let the loop of a peer run that lives in one."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        await trio.sleep(seconds)
    else:
        sleep_blocking(seconds)


def sleep_blocking(seconds: float) -> None:
    time.sleep(seconds)
