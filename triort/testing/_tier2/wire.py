"""One simulated link: what lies between two ends of a memory connection, with delays and everything that goes wrong.

Frames of one direction arrive in order. How long each takes is drawn by the link's name and the frame's number, so
nothing that happens elsewhere changes it. A process that dies closes its links as a kernel does: what it has sent
arrives, then comes the end. What it does in its clean-up goes nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import attrs
import trio

from triort._model.errors import ProtocolError
from triort._model.messages import Received
from triort._transport.memory import MemoryConnection, open_memory_pair
from triort.testing._events import Event, Kind, names_of
from triort.testing._plan.names import is_worker

HOLD_FOREVER = math.inf


class Air(Protocol):
    """What a wire needs of the cluster around it."""

    @property
    def now(self) -> float:
        """Virtual time."""

    def at(self, when: float, fn: Callable[..., object], *args: object) -> object:
        """Call later."""

    def tell(self, event: Event) -> None:
        """An event for the trace."""

    def latency_s(self, wire: Wire, way: str, number: int) -> float:
        """How long this frame takes."""

    def tells_frames(self) -> bool:
        """Whether frames are worth an event."""

    def note_words(self, wire: Wire, batch: list[Received]) -> None:
        """The first frame of one direction of a connection is sent."""


@attrs.define(eq=False)
class Direction:
    """What goes from ``sender`` to ``receiver``."""

    sender: str
    receiver: str
    way: str
    first: int = 0
    number: int = attrs.field(default=attrs.Factory(lambda self: self.first, takes_self=True), init=False)
    last_s: float = -math.inf
    held_until_s: float = -math.inf
    is_mute: bool = False
    """Nothing that is sent from now on arrives: the sender is dead, or the link eats it."""
    is_closed: bool = False
    """The sender has closed its end."""
    is_gone: bool = False
    """The sender is dead; what its remains send is not even told."""
    corrupt: bool = False
    """The next frame to arrive cannot be read."""
    held: list[tuple[Callable[..., None], tuple[object, ...]]] | None = None
    """What has arrived and has to wait, in order."""


class Wire:
    """The link called ``name`` between a boss and an employee (or a server and a client)."""

    __slots__ = (
        "air",
        "boss",
        "boss_end",
        "down",
        "employee",
        "employee_end",
        "is_last",
        "is_open",
        "level",
        "name",
        "up",
    )

    def __init__(self, air: Air, name: str, boss: str, employee: str, level: int, first: int) -> None:
        self.air = air
        self.name = name
        self.boss = boss
        self.employee = employee
        self.level = level
        self.boss_end, self.employee_end = open_memory_pair(boss, employee, self)
        self.down = Direction(boss, employee, "down", first)
        self.up = Direction(employee, boss, "up", first)
        self.is_open = True
        self.is_last = is_worker(name)
        """Whether the link ends with this connection."""

    def way_from(self, end: MemoryConnection) -> Direction:
        """The direction in which this end sends."""
        return self.down if end is self.boss_end else self.up

    def end_of(self, node: str) -> MemoryConnection:
        """The end that this node holds."""
        return self.boss_end if node == self.boss else self.employee_end

    # -- as the carrier of both ends -----------------------------------------------------------------------------

    def carry(self, end: MemoryConnection, batch: list[Received], size: int) -> None:
        """``end`` has flushed messages."""
        way = self.way_from(end)
        way.number += 1
        if way.is_gone:
            return
        if way.number == way.first + 1 and not self.is_last:
            self.air.note_words(self, batch)
        if self.air.tells_frames():
            what = names_of(batch)
            self.air.tell(Event(self.air.now, Kind.SEND, way.sender, what, way.receiver, way.number))
        if not way.is_mute:
            self._later(way, self._arrive, way, end.peer, batch, size, way.number)

    def hang_up(self, end: MemoryConnection) -> None:
        """``end`` has closed."""
        way = self.way_from(end)
        if way.is_closed or way.is_gone:
            return
        way.is_closed = True
        self._tell_end(way.sender, way.receiver, "closed")
        if not way.is_mute:
            way.is_mute = True
            self._later(way, self._arrive_end, way, end.peer, None)

    # -- faults --------------------------------------------------------------------------------------------------

    def die(self, node: str) -> None:
        """The process of this node is gone: what it has sent arrives, then the end."""
        end = self.end_of(node)
        way = self.way_from(end)
        if not way.is_mute:
            self._later(way, self._arrive_end, way, end.peer, None)
        way.is_mute = way.is_gone = True

    def close(self, node: str) -> None:
        """This side closes in order: what it has sent arrives, then the end; what it has not read is lost."""
        end = self.end_of(node)
        self.hang_up(end)
        end.deliver_end(None)

    def cut(self, *sides: str) -> None:
        """The link breaks: what is on its way is lost; the nodes named learn of it, others never do."""
        self.vanish()
        for node in sides:
            end = self.end_of(node)
            peer = self.employee if node == self.boss else self.boss
            error = trio.BrokenResourceError(f"the link to {peer} has broken")
            self.air.at(self.air.now, self._arrive_end, self.way_from(end.peer), end, error)

    def vanish(self) -> None:
        """Nothing arrives any more, in either direction."""
        for way in (self.down, self.up):
            way.is_mute = True
            way.held_until_s = HOLD_FOREVER

    def hold(self, until_s: float, *ways: Direction) -> None:
        """What arrives before then has to wait until then."""
        for way in ways:
            way.held_until_s = max(way.held_until_s, until_s)
            if way.held_until_s < HOLD_FOREVER:
                self.air.at(way.held_until_s, self._release, way)

    def heal(self) -> None:
        """What is held comes now; what was cut stays cut."""
        for way in (self.down, self.up):
            if way.held_until_s < HOLD_FOREVER:
                way.held_until_s = -math.inf
                self._release(way)

    # -- inside --------------------------------------------------------------------------------------------------

    def _later(self, way: Direction, fn: Callable[..., object], *args: object) -> None:
        when = self.air.now + self.air.latency_s(self, way.way, way.number)
        way.last_s = max(when, way.last_s)
        self.air.at(way.last_s, fn, *args)

    def _release(self, way: Direction) -> None:
        if way.held_until_s <= self.air.now:
            held, way.held = way.held, None
            for fn, args in held or ():
                fn(*args)

    def _is_held(self, way: Direction, fn: Callable[..., None], *args: object) -> bool:
        """Whether it has to wait; the rest is seen to."""
        if way.held_until_s == HOLD_FOREVER:
            return True
        if not way.held and way.held_until_s <= self.air.now:
            return False
        way.held = way.held or []
        way.held.append((fn, args))
        return True

    def _arrive(self, way: Direction, end: MemoryConnection, batch: list[Received], size: int, number: int) -> None:
        if self._is_held(way, self._take, way, end, batch, size, number):
            return
        self._take(way, end, batch, size, number)

    def _take(self, way: Direction, end: MemoryConnection, batch: list[Received], size: int, number: int) -> None:
        if way.corrupt:
            way.corrupt = False
            self._take_end(way, end, ProtocolError(f"{way.sender} sent a frame that cannot be read"))
            return
        if end.deliver(batch, size) and self.air.tells_frames():
            what = names_of(batch)
            self.air.tell(Event(self.air.now, Kind.DELIVER, way.receiver, what, way.sender, number))

    def _arrive_end(self, way: Direction, end: MemoryConnection, error: Exception | None) -> None:
        if error is None and self._is_held(way, self._take_end, way, end, error):
            return
        self._take_end(way, end, error)

    def _take_end(self, way: Direction, end: MemoryConnection, error: Exception | None) -> None:
        self._tell_end(way.receiver, way.sender, "closed by peer" if error is None else type(error).__name__)
        end.deliver_end(error)

    def _tell_end(self, node: str, peer: str, how: str) -> None:
        self.is_open = False
        kind = Kind.CLOSE if self.is_last else Kind.BREAK
        self.air.tell(Event(self.air.now, kind, node, self.name, peer, 0, how))
