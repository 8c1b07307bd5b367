"""What lies between the nodes of a simulated cluster: who can reach whom, and which connection belongs to which link.

Links between machines outlive their connections. Their first words say which link a connection is for: a new one, or
one that goes on. The end of a link for good is known by its ends alone, each for itself, and they say so here.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import trio

from triort._core.hops import Owner
from triort._core.links import Loss
from triort._model.messages import Hello, Received, Welcome
from triort._node.server_base import ServerBase
from triort._transport.memory import MemoryConnection
from triort._transport.session import SessionConnection
from triort.testing._checkers.books import SETTLED_S
from triort.testing._events import FRAMES_SPAN, Kind
from triort.testing._plan.names import boss_of, is_worker
from triort.testing._tier2.wire import HOLD_FOREVER, Wire

if TYPE_CHECKING:
    from triort.testing._tier2.cluster import Cluster
    from triort.testing._tier2.machine import SimListener, SimMachine


class Network:
    """All connections of one run; each is called by the lower end of its link."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.wires: dict[str, Wire] = {}
        """The last one of each name."""
        self._serials: Counter[str] = Counter()
        self.draws_of: dict[str, Counter[str]] = {}
        """What the nodes of a name have drawn, one process after the other: they are not to draw the same again."""
        self._parted: dict[str, float] = {}
        self._hellos: dict[Wire, Hello] = {}
        self._links: dict[int, tuple[str, str]] = {}
        """The lower and the upper end of each link, by the number of its session."""
        self._open: dict[str, int] = {}
        """The last session of each lower end."""
        self._told: set[tuple[int, str]] = set()

    # -- connections ---------------------------------------------------------------------------------------------

    def open_wire(self, name: str, boss: str, employee: str) -> Wire:
        """A connection, with a span of its own for the numbers of its frames. What holds up frames there holds these up
        as well."""
        cluster = self._cluster
        serial = self._serials[name]
        self._serials[name] += 1
        before = self.wires.get(name)
        level = 0 if name.startswith("c") else name.count(".") + 1
        wire = self.wires[name] = Wire(cluster, name, boss, employee, level, serial * FRAMES_SPAN)
        if before is not None:
            for old, new in ((before.down, wire.down), (before.up, wire.up)):
                if cluster.now < old.held_until_s < HOLD_FOREVER:
                    wire.hold(old.held_until_s, new)
        if is_worker(name):
            cluster.tell(Kind.OPEN, employee, name, peer=boss, number=serial)
        return wire

    def connect(self, machine: SimMachine, listener: SimListener) -> MemoryConnection:
        """The dialler's end of a connection to who listens there."""
        here, there = machine.name, listener.machine.name
        goes_up = boss_of(here) == there
        lower, boss = (here, there) if goes_up else (there, here)
        wire = self.open_wire(lower, boss, lower)
        machine.wires.append(wire)
        listener.machine.wires.append(wire)
        dialler, other = (wire.employee_end, wire.boss_end) if goes_up else (wire.boss_end, wire.employee_end)
        listener.arrive(other)
        return dialler

    def part(self, name: str, for_s: float) -> None:
        """A connection has broken, perhaps unseen, and nobody connects there for so long.

        Hearts beat in the background, and would not beat any more when all is at rest; so time goes on, as far as that
        takes to be found out.
        """
        now = self._cluster.now
        self._parted[name] = max(self._parted.get(name, -math.inf), now + for_s)
        self._cluster.at(now + for_s + SETTLED_S, int)

    async def wait_whole(self, here: str, there: str) -> None:
        """Wait until somebody can be reached: nothing answers until then."""
        name = here if boss_of(here) == there else there
        while self._parted.get(name, -math.inf) > self._cluster.now:  # noqa: ASYNC110
            await trio.sleep_until(self._parted[name])

    def heal(self) -> None:
        """All that can be mended is."""
        self._parted.clear()
        for wire in self.wires.values():
            wire.heal()

    # -- links ---------------------------------------------------------------------------------------------------

    def note_words(self, wire: Wire, batch: list[Received]) -> None:
        """The first frame of one direction of a connection is sent."""
        message = batch[0][0]
        if isinstance(message, Hello):
            self._hellos[wire] = message
        elif isinstance(message, Welcome):
            self._accepted(wire, self._hellos.pop(wire))

    def _accepted(self, wire: Wire, hello: Hello) -> None:
        lower, boss, number = wire.employee, wire.boss, hello.session
        if hello.resumes:
            self._cluster.tell(Kind.RESUME, lower, peer=boss)
            return
        before = self._open.get(lower)
        if before is not None:
            self._tell_end(before, lower, "another link has begun")
        self._open[lower] = number
        self._links[number] = lower, boss
        self._cluster.tell(Kind.OPEN, lower, peer=boss)

    def listen_to(self, node: ServerBase) -> None:
        """Hear from this node which of its links have ended for good."""
        disconnect, renew = node.handle_disconnect, node.renew

        def disconnecting(conn: object, blame: Loss | None = None, reason: str = "") -> None:
            self._note_ended(node.name, conn)
            disconnect(conn, blame, reason)

        def renewing(owner: Owner | None = None) -> None:
            for conn in node.conns:
                self._note_ended(node.name, conn)
            renew(owner)

        node.handle_disconnect = disconnecting  # type: ignore[method-assign]
        node.renew = renewing  # type: ignore[method-assign]

    def _note_ended(self, node: str, conn: object) -> None:
        if isinstance(conn, SessionConnection):
            self._tell_end(conn.number, node, str(conn._end or "over"))

    def _tell_end(self, number: int, node: str, how: str) -> None:
        lower, boss = self._links.get(number, ("", ""))
        if node in (lower, boss) and (number, node) not in self._told:
            self._told.add((number, node))
            if self._open.get(lower) == number:  # else its end was told before the next one began
                self._cluster.tell(Kind.CLOSE, node, peer=boss if node == lower else lower, detail=how)
