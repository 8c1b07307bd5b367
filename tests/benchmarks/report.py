"""What the suite says: lines with medians, ranges, ratios and bars, as a table and for machines."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from tests.benchmarks.bars import BARS, Bar
from tests.benchmarks.peers.table import TRIORT
from tests.benchmarks.running import Results

HEADER = f"{'':44}{'median':>10}  {'range':21}{'triort / it':>11}  bar"


@attrs.frozen
class Verdict:
    """A bar, and whether it is met."""

    bar: Bar
    value: float
    is_met: bool

    def __str__(self) -> str:
        return f"{self.bar.sense.value} {self.bar.limit:,g} {'met' if self.is_met else 'missed'}"


@attrs.frozen
class Line:
    """A figure of one peer."""

    row: str
    figure: str
    peer: str
    values: list[float]
    ratio: float | None
    """Triort's median divided by this one."""
    verdict: Verdict | None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def as_data(self) -> dict[str, Any]:
        data: dict[str, Any] = {"row": self.row, "figure": self.figure, "peer": self.peer, "median": self.median}
        data |= {"min": min(self.values), "max": max(self.values), "values": self.values, "triort_ratio": self.ratio}
        if self.verdict is not None:
            data["bar"] = {"sense": self.verdict.bar.sense.value, "limit": self.verdict.bar.limit}
            data["met"] = self.verdict.is_met
        return data


def lines_of(results: Results) -> Iterator[Line]:
    """The lines of a row, figure by figure, triort's first."""
    row = results.row
    for figure, peers in results.values.items():
        ours = statistics.median(peers[TRIORT]) if TRIORT in peers else None
        for peer in sorted(peers, key=row.peers.index):
            median = statistics.median(peers[peer])
            ratio = ours / median if ours is not None and peer != TRIORT and median else None
            yield Line(row.name, figure, peer, peers[peer], ratio, judge(row.name, figure, peer, median, ratio))


def judge(row: str, figure: str, peer: str, median: float, ratio: float | None) -> Verdict | None:
    """The bar that belongs to a line, if there is one. A relative bar stands on the line of the peer that it names."""
    for bar in BARS:
        if (bar.row, bar.figure) == (row, figure) and peer == (bar.beside or bar.of):
            value = ratio if bar.beside else median
            if value is not None:
                return Verdict(bar, value, bar.is_met(value))
    return None


def table_of(results: Results) -> str:
    """The part of the table that a row makes."""
    text = [f"{results.row.name}: {results.row.title}"]
    last = ""
    for line in lines_of(results):
        if line.figure != last:
            text.append(f"  {line.figure}")
            last = line.figure
        span = f"{short(min(line.values))} to {short(max(line.values))}"
        ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
        cells = f"    {line.peer:40}{short(line.median):>10}  {span:21}{ratio:>11}  {line.verdict or ''}"
        text.append(cells.rstrip())
    text += [f"    {peer:40}failed: {why.strip().splitlines()[-1]}" for peer, why in results.failures.items()]
    return "\n".join(text)


def short(value: float) -> str:
    """Three digits or more, as many as say something."""
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def summary(found: Sequence[Results]) -> str:
    """How many bars are met, of those that could be judged."""
    verdicts = [line.verdict for results in found for line in lines_of(results) if line.verdict is not None]
    met = sum(verdict.is_met for verdict in verdicts)
    return f"\nbars: {met} met, {len(verdicts) - met} missed, {len(BARS) - len(verdicts)} not measured"
