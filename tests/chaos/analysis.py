"""What the records tell after a run: how much was done again, and how soon lost tasks ran elsewhere."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

import attrs

from tests.chaos.records import END, START, Record, read_all
from tests.chaos.report import Part


@attrs.frozen
class Kill:
    """Something was killed: when, what, and the worker processes that died of it."""

    time_s: float
    kind: str
    pids: tuple[int, ...]


@attrs.define
class Runs:
    """All records of a run, sorted in the ways in which they are asked for."""

    starts: dict[int, list[float]] = attrs.Factory(dict)
    """For each key the times at which it was started."""
    open_at_end: dict[int, set[int]] = attrs.Factory(dict)
    """For each process the keys that were started there and have not ended there."""
    num_starts: int = 0
    num_wanted: int = 0
    """Starts that a run without faults has, too."""
    busy_s: float = 0.0
    busy_again_s: float = 0.0
    """Of tasks that have ended: how long they took in all, and how long those that had ended before."""


def gather(folder: Path) -> Runs:
    """Read all records of a run."""
    runs = Runs()
    begun: dict[tuple[int, int], Record] = {}
    ended: set[int] = set()
    for record in read_all(folder):
        if record.what == START:
            runs.num_starts += 1
            runs.starts.setdefault(record.key, []).append(record.time_s)
            runs.open_at_end.setdefault(record.pid, set()).add(record.key)
            begun[record.pid, record.key] = record
        elif record.what == END:
            runs.open_at_end[record.pid].discard(record.key)
            length_s = record.time_s - begun[record.pid, record.key].time_s
            runs.busy_s += length_s
            runs.busy_again_s += length_s if record.key in ended else 0.0
            ended.add(record.key)
    for times in runs.starts.values():
        times.sort()
    runs.num_wanted = len(runs.starts)
    return runs


def recovery_times(runs: Runs, kills: Sequence[Kill]) -> list[float]:
    """For each task that was open on a killed worker and ran again: the time from the kill to that start."""
    times = []
    for kill in kills:
        for pid in kill.pids:
            for key in runs.open_at_end.get(pid, ()):
                starts = runs.starts[key]
                index = bisect_right(starts, kill.time_s)
                if index < len(starts):
                    times.append(starts[index] - kill.time_s)
    return times


def tell(part: Part, runs: Runs, kills: Sequence[Kill]) -> None:
    """Put the figures into a part's report."""
    part.figures["task executions"] = runs.num_starts
    part.figures["different tasks executed"] = runs.num_wanted
    again = runs.num_starts - runs.num_wanted
    part.figures["executions again, %"] = round(100 * again / max(1, runs.num_wanted), 2)
    part.spread("kill to next attempt, all lost tasks under load", recovery_times(runs, kills))
