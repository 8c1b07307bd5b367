"""A run as one self-contained HTML page: lanes by hierarchy, bars, arrows, faults, and the list of events beside it.

What comes from the run enters the page in three ways only: escaped as text, as JSON without any ``<``, ``>`` or ``&``,
and from there by ``textContent`` and canvas; so no name can become markup. The page forbids itself every connection.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from importlib import resources
from string import Template
from typing import Any

from triort.testing._events import Event, Kind
from triort.testing._report.hierarchy import boss_of, depth_of
from triort.testing._report.picture import Picture, draw_picture
from triort.testing._report.plans import show_plan
from triort.testing._report.story import sizes
from triort.testing._report.words import counted, exact, one_line, said, span
from triort.testing._run import Run

SCRIPTS = ("data", "view", "lanes", "ways", "axis", "list", "tree", "hands", "main")
"""Joined in this order; each is a part of one function."""


def page_html(run: Run) -> str:
    """The page as text."""
    seed = f"seed {run.plan.seed}"
    values = {
        "title": escape(f"{seed}: {one_line(run.violation.check)}" if run.violation else f"{seed}: passed"),
        "seed": escape(seed),
        "facts": "".join(f"<li>{escape(fact)}</li>" for fact in facts(run)),
        "verdict": verdict(run),
        "plan": escape(show_plan(run.plan)),
        "style": asset("page.css"),
        "script": "\n".join(asset(f"{name}.js") for name in SCRIPTS),
        "data": as_json(page_data(run)),
    }
    return Template(asset("page.html")).substitute(values)


def asset(name: str) -> str:
    """A part of the page that lies beside this module."""
    return resources.files("triort.testing._report").joinpath("page", name).read_text(encoding="utf-8")


def as_json(value: object) -> str:
    """JSON that can stand in a script element, whatever is in it."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def facts(run: Run) -> list[str]:
    """What a run is made of, in a few words each."""
    kept, told = len(run.events), counted(run.num_events, "event")
    shown = told if kept >= run.num_events else f"the last {kept:,} of {told}"
    return [
        f"tier {run.tier}",
        f"tree {run.plan.tree}",
        sizes(run.plan),
        shown,
        counted(run.num_messages, "message"),
        f"{span(round(run.now_s, 6))} of virtual time",
        f"trace {one_line(run.trace_hash)}",
    ]


def verdict(run: Run) -> str:
    """The first thing to read: what failed, or that nothing did."""
    if run.violation is None:
        return '<p class="verdict passed"><strong>All checks passed</strong></p>'
    check, when = escape(one_line(run.violation.check)), escape(exact(run.violation.time_s))
    text = "<br>".join(escape(one_line(line)) for line in run.violation.text.splitlines())
    return (
        f'<p class="verdict failed"><strong>{check}</strong> <span class="what">{text}</span>'
        f' <button type="button" id="to-violation">at {when}&nbsp;s</button></p>'
    )


class Strings:
    """Each text once; everything else points at it."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}

    def index(self, text: str) -> int:
        """The number of a text."""
        return self.texts.setdefault(text, len(self.texts))


def page_data(run: Run) -> dict[str, Any]:
    """All that the scripts need. Events are columns; everything else points at them by index, or has -1."""
    strings, picture = Strings(), draw_picture(run.events)
    lanes = {node: number for number, node in enumerate(picture.nodes)}
    violation = None
    if run.violation is not None:
        time_s = round(run.violation.time_s, 9)
        before = [i for i, event in enumerate(run.events) if round(event.time_s, 9) <= time_s]
        violation = {"check": run.violation.check, "time": time_s, "event": before[-1] if before else -1}
    return {
        "violation": violation,
        "first": run.num_events - len(run.events),
        "events": event_columns(run.events, lanes, strings),
        "lanes": lane_entries(picture, lanes),
        "bars": [
            [
                lanes[bar.node],
                at(bar.start),
                at(bar.end),
                bar.slot,
                strings.index(bar.name),
                strings.index(bar.how),
                int(bar.is_job),
            ]
            for bar in picture.bars
        ],
        "ways": [[at(way.sent), at(way.got)] for way in picture.ways],
        "bands": bands(run),
        "lives": [[lanes[life.node], at(life.born), at(life.died)] for life in picture.lives],
        "kinds": list(Kind),
        "strings": list(strings.texts),
    }


def at(index: int | None) -> int:
    """The index of an event, or -1."""
    return -1 if index is None else index


def bands(run: Run) -> list[list[Any]]:
    """The faults that last: the event of each, and until when it does."""
    lasting = [fault for fault in run.plan.faults if fault.for_s > 0]
    found: list[list[Any]] = []
    for index, event in enumerate(run.events):
        if event.kind is Kind.FAULT and not event.detail.startswith("missed"):
            same = [fault for fault in lasting if (fault.kind, fault.target) == (event.what, event.node)]
            nearest = min(same, key=lambda fault: abs(fault.at_s - event.time_s), default=None)
            if nearest is not None:
                found.append([index, round(event.time_s + nearest.for_s, 9)])
    return found


def event_columns(events: Sequence[Event], lanes: dict[str, int], strings: Strings) -> dict[str, list[Any]]:
    """The events, field by field."""
    kinds = {kind: number for number, kind in enumerate(Kind)}
    return {
        "time": [round(event.time_s, 9) for event in events],
        "kind": [kinds[event.kind] for event in events],
        "lane": [lanes.get(event.node, -1) for event in events],
        "node": [strings.index(event.node) for event in events],
        "what": [strings.index(event.what) for event in events],
        "peer": [strings.index(event.peer) for event in events],
        "number": [event.number for event in events],
        "detail": [strings.index(event.detail) for event in events],
        "text": [strings.index(said(event)) for event in events],
    }


def lane_entries(picture: Picture, lanes: dict[str, int]) -> list[list[Any]]:
    """Name, depth, boss and number of slots of each lane."""
    slots = dict.fromkeys(lanes, 0)
    for bar in picture.bars:
        slots[bar.node] = max(slots[bar.node], bar.slot + 1)
    return [[node, depth_of(node), lanes.get(boss_of(node), -1), slots[node]] for node in lanes]
