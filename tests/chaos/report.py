"""What a run has found: counts that must be zero, and figures; as a table on a terminal, as JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

MUST_BE_ZERO = (
    "wrong values",
    "hangs",
    "second outcomes",
    "left over",
    "ended by themselves",
    "failed checks",
)
SHOWN_MAX = 10


@attrs.define
class Part:
    """The result of one part of a run."""

    name: str
    faults: dict[str, list[str]] = attrs.Factory(lambda: {kind: [] for kind in MUST_BE_ZERO})
    figures: dict[str, float | int | str] = attrs.Factory(dict)

    def add(self, kind: str, texts: Iterable[str]) -> None:
        """Note what must not be."""
        self.faults[kind] += texts

    def check(self, is_so: bool, text: str) -> None:
        """A check that has been made: ``text`` says what is not so."""
        if not is_so:
            self.add("failed checks", [text])

    def spread(self, name: str, values_s: Sequence[float]) -> None:
        """Figures of some durations."""
        self.figures[f"{name}, number"] = len(values_s)
        if values_s:
            for share in (0.5, 0.99):
                self.figures[f"{name}, p{share * 100:g} ms"] = round(1_000 * quantile(values_s, share), 1)
            self.figures[f"{name}, max ms"] = round(1_000 * max(values_s), 1)

    @property
    def is_good(self) -> bool:
        return not any(self.faults.values())


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which so large a share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def as_dict(parts: Sequence[Part]) -> dict[str, Any]:
    """The whole, for JSON."""
    return {
        part.name: {
            "good": part.is_good,
            "counts": {kind: len(texts) for kind, texts in part.faults.items()},
            "texts": {kind: texts[:SHOWN_MAX] for kind, texts in part.faults.items() if texts},
            "figures": part.figures,
        }
        for part in parts
    }


def show(parts: Sequence[Part], *, as_json: bool) -> None:
    """Print the report on stdout."""
    if as_json:
        print(json.dumps(as_dict(parts), indent=2))
    elif sys.stdout.isatty():
        _show_tables(parts)
    else:
        for part in parts:
            print(f"{part.name}: {'good' if part.is_good else 'NOT GOOD'}")
            for name, value in _rows(part):
                print(f"  {name:<50} {value:>14}")
            for text in _texts(part):
                print(f"  ! {text}")


def _rows(part: Part) -> list[tuple[str, str]]:
    counts = [(kind, str(len(texts))) for kind, texts in part.faults.items()]
    return counts + [(name, value if isinstance(value, str) else f"{value:,}") for name, value in part.figures.items()]


def _texts(part: Part) -> list[str]:
    return [f"{kind}: {text}" for kind, texts in part.faults.items() for text in texts[:SHOWN_MAX]]


def _show_tables(parts: Sequence[Part]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for part in parts:
        table = Table("", "", title=part.name, show_header=False, title_style="green" if part.is_good else "red")
        for index, (name, value) in enumerate(_rows(part)):
            is_bad = index < len(MUST_BE_ZERO) and value != "0"
            table.add_row(name, Text(value, style="red" if is_bad else "", justify="right"))
        console.print(table)
        for text in _texts(part):
            console.print(Text(text, style="red"))
