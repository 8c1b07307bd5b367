"""Fewer faults, and simpler ones."""

from __future__ import annotations

import msgspec

from triort.testing._plan.edit import without_faults
from triort.testing._shrink.lists import left_out, minimized
from triort.testing._shrink.rounding import rounder
from triort.testing._shrink.search import Search

EARLY_S = (1e-3, 1e-2, 0.1, 1.0)

replace = msgspec.structs.replace


def fewer_faults(search: Search) -> None:
    """Leave out faults."""
    base = search.plan
    positions = list(range(len(base.faults)))
    minimized(positions, lambda kept: search.attempt(without_faults(base, left_out(positions, kept))))


def simpler_faults(search: Search) -> None:
    """Let them come early, and round their times and figures."""
    for field in ("at_s", "for_s", "factor"):
        for position in range(len(search.plan.faults)):
            _round(search, position, field)


def _round(search: Search, position: int, field: str) -> None:
    faults = search.plan.faults
    fault = faults[position]
    figure = getattr(fault, field)
    earlier = [time_s for time_s in EARLY_S if time_s < figure] if field == "at_s" else []
    for simple in [*earlier, *rounder(figure)]:
        simpler = [*faults[:position], replace(fault, **{field: simple}), *faults[position + 1 :]]
        if search.attempt(replace(search.plan, faults=simpler)):
            return
