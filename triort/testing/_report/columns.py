"""The last events of a run in columns, one column per node, for a terminal.

Each row holds one event, so a text may run over the columns to its right: where it starts tells whose it is. The thin
lines are the lives of the nodes; a node that is not there has none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import attrs
from rich.cells import cell_len

from triort.testing._events import Event, Kind
from triort.testing._report.hierarchy import nodes_of
from triort.testing._report.words import (
    counted,
    cut_to,
    encodable,
    one_line,
    output_encoding,
    padded,
    said,
    terminal_width,
)

ROWS = 60
TIME_WIDTH = 12
"""Ten for the time, two for the gap behind it."""
WIDTH_MIN, WIDTH_EASY, WIDTH_MAX = 9, 16, 24
"""Columns narrower than the first are not made; than the second only if it must be."""
LAST_WIDTH, OTHERS_WIDTH = 30, 56
"""What the last column gets, having none to run over into; and that of all other nodes, which has their names too."""
OTHERS = "others"


@attrs.frozen
class Grid:
    """Which nodes have columns, where these start, and in what they are written."""

    starts: dict[str, int]
    has_others: bool
    width: int
    encoding: str

    @property
    def others(self) -> int:
        """Where the column of all other nodes starts; the first column, if there is none."""
        return list(self.starts.values())[-1] if self.has_others else TIME_WIDTH


def show_columns(
    events: Sequence[Event], *, width: int | None = None, encoding: str | None = None, num_rows: int = ROWS
) -> str:
    """The last ``num_rows`` of the events in columns no wider than ``width`` in all (by default the terminal's)."""
    width = max(TIME_WIDTH + 2 * WIDTH_MIN, terminal_width() if width is None else width)
    encoding = output_encoding() if encoding is None else encoding
    rows = events[-num_rows:]
    if not rows:
        return "no events"
    everyone, active = nodes_of(events), busiest_first(rows)
    grid = lay_out(everyone, active, width, encoding)
    lines = [header(grid), *draw(grid, rows, living_before(events, len(events) - len(rows), everyone))]
    absent = [name for name in everyone if name not in grid.starts and name not in active]
    if absent:
        text = f"{counted(len(absent), 'node')} without a column took no part in these events: {', '.join(absent)}"
        lines.append(cut_to(encodable(one_line(text), encoding), width))
    return "\n".join(encodable(line, encoding) for line in lines)


def busiest_first(rows: Sequence[Event]) -> list[str]:
    """The nodes to which something happened, those to which most did first."""
    nodes = nodes_of(rows)
    number = Counter(event.node for event in rows)
    return sorted((name for name in nodes if number[name]), key=lambda name: -number[name])


def lay_out(everyone: list[str], active: list[str], width: int, encoding: str) -> Grid:
    """All nodes if there is room; else those that take part; else the busiest, and one column for all others."""
    room = width - TIME_WIDTH
    last = min(LAST_WIDTH, room // 2)
    shown, has_others = everyone, False
    if (len(everyone) - 1) * WIDTH_EASY + last > room:
        shown = [name for name in everyone if name in active]
    if len(shown) > 1 + (room - last) // WIDTH_MIN:
        last = min(OTHERS_WIDTH, room // 2)
        chosen = active[: (room - last) // WIDTH_MIN]
        shown, has_others = [*(name for name in everyone if name in chosen), OTHERS], True
    each = min(WIDTH_MAX, (room - last) // max(1, len(shown) - 1))
    return Grid({name: TIME_WIDTH + i * each for i, name in enumerate(shown)}, has_others, width, encoding)


def header(grid: Grid) -> str:
    """The names of the nodes above their columns."""
    line = padded(f"{'seconds':>10}", TIME_WIDTH)
    starts = [*grid.starts.values(), grid.width]
    for name, start, end in zip(grid.starts, starts, starts[1:], strict=False):
        line = padded(line, start) + cut_to(encodable(one_line(name), grid.encoding), max(1, end - start - 1))
    return line


def living_before(events: Sequence[Event], index: int, everyone: list[str]) -> set[str]:
    """The nodes that lived when event ``index`` happened; one whose birth comes later did not."""
    living: dict[str, bool] = {}
    for i, event in enumerate(events):
        if event.kind in (Kind.BORN, Kind.DIED) and (i < index or event.node not in living):
            born = event.kind is Kind.BORN
            living[event.node] = born if i < index else not born
    return {name for name in everyone if living.get(name, True)}


def draw(grid: Grid, rows: Sequence[Event], living: set[str]) -> list[str]:
    """A line for each event."""
    lines, time = [], ""
    for event in rows:
        if event.kind is Kind.BORN:
            living.add(event.node)
        elif event.kind is Kind.DIED:
            living.discard(event.node)
        now = f"{event.time_s:10.6f}"
        lines.append(row(grid, event, "" if now == time else now, living))
        time = now
    return lines


def row(grid: Grid, event: Event, time: str, living: set[str]) -> str:
    """The line of one event: the time if it is a new one, the lives to its left, its text, the lives to its right."""
    start, text = grid.starts.get(event.node, grid.others), said(event)
    if event.node not in grid.starts and event.node:
        text = f"{one_line(event.node)} {text}"
    text = cut_to(encodable(text, grid.encoding), grid.width - start)
    line, end = padded(time, TIME_WIDTH), start + cell_len(text)
    for name, column in grid.starts.items():
        if column == start:
            line = padded(line, start) + text
        elif (column < start or column > end) and name in living:
            line = padded(line, column) + "│"
    return line.rstrip()
