"""Who comes to a listener: each says HELLO within its time, or is refused; none holds up the others.

**The lobby.** Whoever has connected and was not let in costs a descriptor and some memory, and may be anybody. So there
are so many at most, in all and from one address. When there are as many, the oldest has to go, unless it has come so
recently that it may be about its handshake still: then the next one waits in the system's queue, which takes a moment.
So many who say nothing do not keep out one who does, and a crowd that comes at once is let in one after the other.
When the process runs out of descriptors, the older half goes at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import attrs
import trio

from triort._model.errors import AccessError, ProtocolError
from triort._model.limits import HANDSHAKE_GRACE_S, HANDSHAKES_MAX, HANDSHAKES_PER_ADDRESS_MAX
from triort._model.messages import Hello
from triort._node.handshake import receive_hello
from triort._node.machine import Listener
from triort._transport.connection import RawConnection

Arrival = tuple[RawConnection, Hello]
Welcomer = Callable[[Arrival], Awaitable[None]]
Complain = Callable[[Exception], None]


@attrs.define(eq=False)
class Guest:
    """One who has come and was not let in yet."""

    host: str
    since: float
    scope: trio.CancelScope = attrs.Factory(trio.CancelScope)


@attrs.define(eq=False)
class Lobby:
    """Those who have come to one node, the oldest first."""

    guests: list[Guest] = attrs.Factory(list)
    _left: trio.Event = attrs.Factory(trio.Event)

    async def wait_room(self, host: str | None = None) -> None:
        """Wait until there is room for one more, or for one more from this address; no checkpoint if there is."""
        most = HANDSHAKES_MAX if host is None else HANDSHAKES_PER_ADDRESS_MAX
        while (
            len(here := [guest for guest in self.guests if host in (None, guest.host)] if self.guests else []) >= most
        ):
            due = here[0].since + HANDSHAKE_GRACE_S
            if trio.current_time() >= due:
                self._send_away(here[0])
            else:
                with trio.CancelScope(deadline=due):
                    await self._left.wait()

    def enter(self, host: str) -> Guest:
        """One more has come."""
        guest = Guest(host, trio.current_time())
        self.guests.append(guest)
        return guest

    def leave(self, guest: Guest) -> None:
        """It has been let in, or has gone; idempotent."""
        if guest in self.guests:
            self.guests.remove(guest)
            left, self._left = self._left, trio.Event()
            left.set()

    def make_room(self) -> None:
        """There are no descriptors left: the older half has to go."""
        for guest in self.guests[: (len(self.guests) + 1) // 2]:
            self._send_away(guest)

    def _send_away(self, guest: Guest) -> None:
        guest.scope.cancel()
        self.leave(guest)


async def first_arrival(
    listeners: Sequence[Listener], accept: Callable[[Listener, Welcomer], Awaitable[None]]
) -> Arrival:
    """Wait for the first connection that ``accept`` finds valid at one of the listeners."""
    found, arrivals = trio.open_memory_channel[Arrival](0)
    async with trio.open_nursery() as nursery:
        for listener in listeners:
            nursery.start_soon(accept, listener, found.send)
        first = await arrivals.receive()
        nursery.cancel_scope.cancel()
    return first


async def serve_arrivals(
    listener: Listener, lobby: Lobby, roles: tuple[str, ...], then: Welcomer, note: Complain
) -> None:
    """Call ``then`` with each connection that has come with a valid HELLO of these roles, until the listener is closed;
    call ``note`` with what was wrong with the others."""
    async with trio.open_nursery() as nursery:
        with suppress(trio.ClosedResourceError):  # this node has closed the listener
            while True:
                await lobby.wait_room()
                try:
                    conn = await listener.accept(lobby.make_room)
                except AccessError as exc:  # of this node, which has run on for too long
                    note(exc)
                    continue
                try:
                    await lobby.wait_room(conn.host)
                except BaseException:
                    conn.close()
                    raise
                nursery.start_soon(_let_in, conn, lobby, lobby.enter(conn.host), roles, then, note)


async def _let_in(
    conn: RawConnection, lobby: Lobby, guest: Guest, roles: tuple[str, ...], then: Welcomer, note: Complain
) -> None:
    hello: Hello | None = None
    try:
        try:
            with guest.scope:
                hello = await receive_hello(conn, roles)
        finally:
            lobby.leave(guest)
        if hello is None:
            raise ProtocolError(f"{conn.name} said nothing, and others wanted its place")
        conn.lift_limit()
        await then((conn, hello))
    except ProtocolError as exc:
        note(exc)
        conn.close()
    except BaseException:
        conn.close()
        raise
