"""Feeds events made by hand to one checker, for the tests of checkers that need nothing but events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from triort._core.node_core import NodeCore
from triort._core.worker_core import WorkerCore
from triort.testing._events import Event, Kind, Violation
from triort.testing._plan.plan import Plan
from triort.testing._run import Checker


@attrs.define
class HandWorld:
    """A cluster of which nothing is known but its plan."""

    plan: Plan
    now: float = 0.0
    nodes: Mapping[str, NodeCore] = attrs.Factory(dict)
    workers: Mapping[str, WorkerCore] = attrs.Factory(dict)

    def leftovers(self) -> list[str]:
        """Nothing."""
        return []


def at(text: str, peer: str = "", number: int = 0, detail: str = "") -> Event:
    """An event; ``text`` is its kind, its node and, if it is about something, that."""
    kind, node, *what = text.split()
    return Event(0.0, Kind(kind), node, " ".join(what), peer, number, detail)


def verdict(checker: Checker, plan: Plan, events: Sequence[Event], *, rest: bool = False) -> str:
    """What the checker says to the first event that it objects to; empty when it objects to none. Only what it has
    asked for reaches it."""
    checker.begin(HandWorld(plan))
    try:
        for event in events:
            if event.kind in checker.kinds:
                checker.see(event)
        checker.look()
        if rest:
            checker.at_rest()
    except Violation as violation:
        return violation.text if violation.check == checker.name else str(violation)
    return ""
