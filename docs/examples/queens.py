"""A nested search: in how many ways can N queens stand on an N×N board without attacking each other?

Async tasks place the queens of the first rows, one task for each prefix, and map their children; sync tasks count what
is left of the board. A board is three bit masks: columns and both diagonals that are under attack in the next row.
"""

import sys
import time

from _start import start

import triort

KNOWN = {4: 2, 5: 10, 6: 4, 7: 40, 8: 92, 9: 352, 10: 724, 11: 2_680, 12: 14_200, 13: 73_712, 14: 365_596}
ROWS_BY_TASKS = 2

Board = tuple[int, int, int]


def placements(size: int, board: Board) -> list[Board]:
    """The boards after one more row."""
    columns, left, right = board
    free = ~(columns | left | right) & ((1 << size) - 1)
    boards = []
    while free:
        queen = free & -free
        free ^= queen
        boards.append((columns | queen, (left | queen) << 1, (right | queen) >> 1))
    return boards


def count(size: int, board: Board) -> int:
    """A leaf: count the ways to fill the rest of the board."""
    if board[0] == (1 << size) - 1:
        return 1
    return sum(count(size, after) for after in placements(size, board))


async def search(size: int, board: Board = (0, 0, 0), row: int = 0) -> int:
    """An inner task: one child for each way to place the next queen."""
    rt = triort.get_runtime()
    boards = placements(size, board)
    if row + 1 < ROWS_BY_TASKS:
        counts = await rt.map(search, [size] * len(boards), boards, [row + 1] * len(boards))
    else:
        counts = await rt.map(count, [size] * len(boards), boards)
    return sum(counts)


async def main(client: triort.Client, size: int) -> None:
    begin = time.perf_counter()
    found = await client.run(search, size)
    print(f"took {time.perf_counter() - begin:.2f} s", file=sys.stderr)
    print(f"{size} queens: {found:,} ways")
    if size in KNOWN:
        print("as known:", found == KNOWN[size])


if __name__ == "__main__":
    start(main, size=10, meaning="queens, and rows of the board")
