"""Who comes to a listener: each says HELLO within its time, or is refused; none holds up the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import trio

from triort._model.errors import ProtocolError
from triort._model.messages import Hello
from triort._node.handshake import receive_hello
from triort._node.machine import Listener
from triort._transport.connection import RawConnection

Arrival = tuple[RawConnection, Hello]
Welcomer = Callable[[Arrival], Awaitable[None]]


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
    listener: Listener, roles: tuple[str, ...], then: Welcomer, note: Callable[[ProtocolError], None]
) -> None:
    """Call ``then`` with each connection that has come with a valid HELLO of these roles, until the listener is closed;
    call ``note`` with what was wrong with the others."""
    async with trio.open_nursery() as nursery:
        with suppress(trio.ClosedResourceError):  # this node has closed the listener
            while True:
                conn = await listener.accept()
                nursery.start_soon(_let_in, conn, roles, then, note)


async def _let_in(
    conn: RawConnection, roles: tuple[str, ...], then: Welcomer, note: Callable[[ProtocolError], None]
) -> None:
    try:
        hello = await receive_hello(conn, roles)
        conn.lift_limit()
        await then((conn, hello))
    except ProtocolError as exc:
        note(exc)
        conn.close()
    except BaseException:
        conn.close()
        raise
