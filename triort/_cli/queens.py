"""The job of ``triort demo``: in how many ways can n queens stand on a board so that none attacks another?

A position is three bit masks over the columns of the next row: taken columns, and both diagonals as they arrive there.
The first rows are placed by async tasks, each of which maps its children and waits for them; what is below is counted
by a plain function. The same function counts the whole board in one process, for comparison.
"""

from __future__ import annotations

import triort

SOLUTIONS = {8: 92, 9: 352, 10: 724, 11: 2_680, 12: 14_200, 13: 73_712, 14: 365_596}
ROWS_PLACED = 3
"""So many rows are placed by tasks: about n³ leaves, of a millisecond or so each."""

Position = tuple[int, int, int]
EMPTY: Position = (0, 0, 0)


def place_queen(n: int, position: Position) -> list[Position]:
    """All positions with one queen more, in the next row."""
    columns, left, right = position
    free = ~(columns | left | right) & ((1 << n) - 1)
    found = []
    while free:
        queen = free & -free
        free ^= queen
        found.append((columns | queen, (left | queen) << 1, (right | queen) >> 1))
    return found


def count_solutions(n: int, position: Position = EMPTY) -> int:
    """How many solutions begin with this position."""
    full = (1 << n) - 1

    def count(columns: int, left: int, right: int) -> int:
        if columns == full:
            return 1
        total = 0
        free = ~(columns | left | right) & full
        while free:
            queen = free & -free
            free ^= queen
            total += count(columns | queen, (left | queen) << 1, (right | queen) >> 1)
        return total

    return count(*position)


async def search(n: int, position: Position, rows: int = 1) -> tuple[int, int]:
    """Solutions that begin with this position, which has so many rows; and the number of tasks that it took."""
    rt = triort.get_runtime()
    places = place_queen(n, position)
    if rows + 1 >= ROWS_PLACED:
        counts = await rt.map(count_solutions, [n] * len(places), places)
        return sum(counts), 1 + len(places)
    found = await rt.map(search, [n] * len(places), places, [rows + 1] * len(places))
    return sum(each[0] for each in found), 1 + sum(each[1] for each in found)
