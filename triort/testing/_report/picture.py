"""What events show when they are drawn: the bars of tasks and jobs, the ways of messages, the lives of nodes.

All of it points at events by their index. A trace that has kept its last events only lacks the beginnings of some bars
and messages: these are None.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from triort.testing._events import Event, Kind
from triort.testing._report.hierarchy import nodes_of, with_bosses


@attrs.define
class Bar:
    """From when to when a task was on its worker, or a job open at its client. Bars that overlap have other slots."""

    node: str
    name: str
    start: int | None
    slot: int
    number: int = 0
    is_job: bool = False
    end: int | None = None
    how: str = "open"
    """The detail of its end: value, error, cancelled, killed, …; ``died`` with its node; ``open`` if it never ended."""


@attrs.define
class Way:
    """A message from its sender to its receiver; one that was not delivered has no end."""

    sent: int | None
    got: int | None = None


@attrs.define
class Life:
    """From when to when a node was there."""

    node: str
    born: int | None
    died: int | None = None


@attrs.define
class Picture:
    """All that is drawn of a run, bosses above those they employ."""

    nodes: list[str] = attrs.Factory(list)
    bars: list[Bar] = attrs.Factory(list)
    ways: list[Way] = attrs.Factory(list)
    lives: list[Life] = attrs.Factory(list)


class Pen:
    """Draws the picture, event by event."""

    def __init__(self) -> None:
        self.picture = Picture()
        self._open: dict[str, list[Bar]] = {}
        self._on_their_way: dict[tuple[str, str, int], Way] = {}
        self._alive: dict[str, Life] = {}
        self._jobs: set[str] = set()
        self._num_slots: dict[str, int] = {}
        self._fallen: dict[tuple[str, str, int], Bar] = {}
        """Bars that the death of their node has ended; an END may still come and tell how."""

    def see(self, index: int, event: Event) -> None:
        """The next event."""
        match event.kind:
            case Kind.SEND | Kind.DELIVER:
                self._message(index, event)
            case Kind.START:
                self._start(Bar(event.node, event.what, index, 0, event.number))
            case Kind.END:
                self._end(index, event)
            case Kind.SUBMIT if event.node.startswith("c") and event.peer not in self._jobs:
                self._jobs.add(event.peer)
                self._start(Bar(event.node, event.peer, index, 0, is_job=True))
            case Kind.JOB:
                self._end(index, event)
            case Kind.BORN | Kind.DIED:
                self._live(index, event)
            case _:
                pass

    def _message(self, index: int, event: Event) -> None:
        if event.kind is Kind.SEND:
            way = self._on_their_way[event.node, event.peer, event.number] = Way(index)
            self.picture.ways.append(way)
            return
        sent = self._on_their_way.pop((event.peer, event.node, event.number), None)
        if sent is None:
            self.picture.ways.append(Way(None, index))
        else:
            sent.got = index

    def _start(self, bar: Bar) -> None:
        bars = self._open.setdefault(bar.node, [])
        taken = {other.slot for other in bars}
        used = self._num_slots.get(bar.node, 0)
        # One that began before the first event may have met all others here so far.
        bar.slot = used if bar.start is None else next(slot for slot in range(used + 1) if slot not in taken)
        self._num_slots[bar.node] = max(used, bar.slot + 1)
        bars.append(bar)
        self.picture.bars.append(bar)

    def _end(self, index: int, event: Event) -> None:
        fallen = self._fallen.pop((event.node, event.what, event.number), None)
        if fallen is not None:
            fallen.how = event.detail or fallen.how
            return
        is_job = event.kind is Kind.JOB
        bars = self._open.setdefault(event.node, [])
        mine = [bar for bar in bars if bar.name == event.what and bar.is_job is is_job]
        if not mine:
            mine = [Bar(event.node, event.what, None, 0, event.number, is_job)]
            self._start(mine[0])
        bar = next((bar for bar in reversed(mine) if bar.number == event.number), mine[-1])
        bar.end, bar.how = index, event.detail or "ended"
        bars.remove(bar)

    def _live(self, index: int, event: Event) -> None:
        alive = self._alive.pop(event.node, None)
        if alive is not None:
            alive.died = index
        if event.kind is Kind.BORN:
            life = self._alive[event.node] = Life(event.node, index)
            self.picture.lives.append(life)
            return
        for bar in self._open.pop(event.node, []):
            bar.end, bar.how = index, "died"
            self._fallen[bar.node, bar.name, bar.number] = bar
        if alive is None:
            self.picture.lives.append(Life(event.node, None, index))


def draw_picture(events: Sequence[Event]) -> Picture:
    """The picture of a run."""
    pen = Pen()
    for index, event in enumerate(events):
        if event.node:
            pen.see(index, event)
    picture = pen.picture
    picture.nodes = with_bosses(nodes_of(events))
    picture.lives += always(picture.nodes, picture.lives)
    return picture


def always(nodes: Iterable[str], lives: Sequence[Life]) -> list[Life]:
    """Lives without beginning and end, for the nodes whose birth and death are not told."""
    told = {life.node for life in lives}
    return [Life(node, None) for node in nodes if node not in told]
