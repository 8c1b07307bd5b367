"""Rounder figures: fewer digits, never more than before."""

from __future__ import annotations

import math

DIGITS_MAX = 3


def rounder(figure: float) -> list[float]:
    """Figures with fewer digits, the roundest first; all are a little smaller. Nothing if there are none.

    Never 0, which means something else in many places.
    """
    found: list[float] = []
    for digits in range(1, DIGITS_MAX + 1):
        rounded = _rounded_down(figure, digits)
        if rounded == figure:
            break
        found.append(rounded)
    return found


def _rounded_down(figure: float, digits: int) -> float:
    if not math.isfinite(figure) or figure == 0:
        return figure
    places = digits - 1 - math.floor(math.log10(abs(figure)))
    nearest = round(figure, places)
    if math.isclose(nearest, figure, rel_tol=1e-12):
        return figure
    if abs(nearest) > abs(figure):
        nearest = round(nearest - math.copysign(10.0**-places, figure), places)
    return nearest or figure
