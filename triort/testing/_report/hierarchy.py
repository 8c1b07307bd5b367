"""The order of nodes in all reports: clients first, then the server and all below it, each below its boss."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from triort.testing._events import Event, Kind
from triort.testing._plan.names import is_node

NUMBERS = re.compile(r"([^0-9]*)([0-9]{0,18})")
LOOSE = frozenset({Kind.FAULT, Kind.MARK, Kind.LOG})
"""The events whose ``node`` may be none: a job, a logger, nothing."""
WITH_A_PEER = frozenset({Kind.SEND, Kind.DELIVER, Kind.OPEN, Kind.CLOSE, Kind.BREAK, Kind.RESUME, Kind.BORN})
"""The events whose ``peer`` is a node."""

Place = tuple[int, list[list[tuple[str, int]]], str]


def natural(text: str) -> list[tuple[str, int]]:
    """A key by which w10 comes behind w9."""
    return [(letters, int(digits or 0)) for letters, digits in NUMBERS.findall(text)]


def place(name: str) -> Place:
    """The key of a node's place: clients, then the tree, then what has a strange name."""
    if name == "s":
        return 1, [], name
    kind = {"c": 0, "s": 1, "m": 1, "w": 1}.get(name[:1], 2)
    return kind, [natural(part) for part in name.split(".")], name


def in_order(names: Iterable[str]) -> list[str]:
    """The nodes in hierarchy order, each once."""
    return sorted(set(names), key=place)


def boss_of(name: str) -> str:
    """The node above, or nothing: for clients, the server, and strange names."""
    if "." in name:
        return name.rpartition(".")[0]
    return "s" if name[:1] in ("m", "w") else ""


def depth_of(name: str) -> int:
    """How many bosses a node has above it."""
    boss = boss_of(name)
    return 1 + depth_of(boss) if boss else 0


def nodes_of(events: Sequence[Event]) -> list[str]:
    """All nodes that events tell of, in hierarchy order."""
    names: dict[str, None] = {}
    for event in events:
        if event.kind not in LOOSE or is_node(event.node):
            names[event.node] = None
        if event.kind in WITH_A_PEER:
            names[event.peer] = None
    return in_order(name for name in names if name)


def with_bosses(names: Sequence[str]) -> list[str]:
    """The nodes and all that are above them."""
    everyone: dict[str, None] = {}
    for name in names:
        while name:
            everyone[name] = None
            name = boss_of(name)
    return in_order(everyone)
