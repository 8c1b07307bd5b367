"""The bars that triort is judged by: ratios to a peer in the same run, or figures of its own."""

from __future__ import annotations

import enum

import attrs

from tests.benchmarks.peers.table import POOL, TRIORT
from tests.benchmarks.subjects import cancels, cold, cost, data, flat, levels, memory, spread, tree, trips


class Sense(enum.Enum):
    AT_LEAST = "≥"
    AT_MOST = "≤"


@attrs.frozen
class Bar:
    """A limit for triort's median, divided by that of a peer if one is named."""

    row: str
    figure: str
    sense: Sense
    limit: float
    beside: str = ""
    """Relative to the median of this peer."""
    of: str = TRIORT
    """Whose figure is judged."""

    def is_met(self, value: float) -> bool:
        match self.sense:
            case Sense.AT_LEAST:
                return value >= self.limit
            case Sense.AT_MOST:
                return value <= self.limit


MORE, LESS = Sense.AT_LEAST, Sense.AT_MOST

BARS = [
    Bar("flat", flat.MAP, MORE, 3.0, POOL),
    Bar("flat", flat.SUBMITS, MORE, 1.0, POOL),
    Bar("tree", tree.TREE, MORE, 8.0, "bqskit"),
    Bar("tree", tree.FIB, MORE, 8.0, "bqskit"),
    Bar("trips", trips.p50(trips.JOB), LESS, 1.0, "trio-parallel"),
    Bar("trips", trips.p99(trips.JOB), LESS, 1.0, "trio-parallel"),
    Bar("trips", trips.p50(trips.HERE), LESS, 0.5, "trio-parallel"),
    Bar("trips", trips.p99(trips.HERE), LESS, 0.5, "trio-parallel"),
    Bar("trips", trips.p50(trips.ELSEWHERE), LESS, 1.0, "trio-parallel"),
    Bar("trips", trips.p99(trips.ELSEWHERE), LESS, 1.0, "trio-parallel"),
    Bar("trips", trips.ADDED, LESS, 150.0, of="triort-2"),
    Bar("trips", trips.ADDED, LESS, 150.0, of="triort-3"),
    Bar("data", data.ECHO, MORE, 3.0, POOL),
    Bar("cold", cold.FIRST, LESS, 2.5, "import-trio"),
    Bar("makespan", spread.MAKESPAN, LESS, 1.10),
    Bar("first", spread.FIRST, LESS, 5.0),
    Bar("cancel", cancels.CANCEL, LESS, 60.0),
    Bar("million", memory.BY_MAP, LESS, 1024.0),
    Bar("levels", levels.SHARE, MORE, 0.5, of="triort-2"),
    Bar("cost", cost.RANGE, LESS, 1.20),
]
