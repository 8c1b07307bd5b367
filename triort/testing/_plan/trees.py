"""Random node trees and latencies."""

from __future__ import annotations

import math

from triort._model.errors import UsageError
from triort.testing._plan.check import LEVELS_MAX
from triort.testing._plan.draws import Draws
from triort.testing._plan.plan import LATENCIES

LEVELS_DRAWN = 4
FAN_OUT_MAX = 5
WORKERS_MAX = 32
"""In random trees: wide ones are slow, and many small clusters find more than a few large ones."""

CLASSES = tuple(LATENCIES)


def draw_tree(draws: Draws, levels: int | None = None) -> list[int]:
    """A tree of 1 to `LEVELS_DRAWN` levels, or of so many, each with a fan-out of its own."""
    if levels is not None and not 1 <= levels <= LEVELS_MAX:
        raise UsageError(f"levels is a number from 1 to {LEVELS_MAX}, not {levels}")
    count = draws.between(1, LEVELS_DRAWN, "tree", "levels") if levels is None else levels
    tree: list[int] = []
    for level in range(count):
        most = min(FAN_OUT_MAX, max(WORKERS_MAX // math.prod(tree), 1))
        tree.append(min(draws.between(1, FAN_OUT_MAX, "tree", level), most))
    return tree


def draw_latency(draws: Draws, levels: int) -> list[str]:
    """A class for each level of links, client links first: half of the time one for all, else each its own."""
    common = draws.choice(CLASSES, "latency")
    if draws.chance(0.5, "latency", "mixed"):
        return [draws.choice(CLASSES, "latency", level) for level in range(levels + 1)]
    return [common]
