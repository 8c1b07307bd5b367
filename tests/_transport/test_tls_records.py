"""A member whose TLS is of its own making: what it may do with the records of a link."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import trio

from tests._transport.check_connection import receive, update
from tests._transport.tls_place import Place
from tests.security.records import Records, shake_hands
from triort._model.errors import ProtocolError
from triort._model.roles import Badge
from triort._transport.sockets import SocketConnection
from triort._wire.frames import encode


async def strange_peer(folder: Path, place: Place) -> tuple[socket.socket, Records, SocketConnection]:
    """One with a good certificate, and hands of its own."""
    sock, far = await place.meet_stranger()
    name = place.access.load().server_name
    records: list[Records] = []

    def shake() -> None:
        records.append(shake_hands(sock, folder, Badge.CLIENT, name))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, shake)
        await far.secure()
    far.lift_limit()
    return sock, records[0], far


@pytest.mark.parametrize("ask", [False, True])
async def test_a_flood_of_key_updates_ends_the_link(folder: Path, place: Place, ask: bool) -> None:
    sock, records, far = await strange_peer(folder, place)
    sock.setblocking(False)
    flood = memoryview(b"".join(records.update(ask=ask) for _ in range(10_000)))

    async def pour() -> None:
        stream = trio.socket.from_stdlib_socket(sock)
        sent = 0
        while sent < len(flood):
            sent += await stream.send(flood[sent:])
            try:
                sock.recv(65_536)
            except BlockingIOError:
                pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pour)
        with pytest.raises(ProtocolError, match="it sends records of TLS that hold no words"):
            await far.receive()
        nursery.cancel_scope.cancel()
    far.close()
    sock.close()


async def test_keys_may_be_updated_between_words(folder: Path, place: Place) -> None:
    sock, records, far = await strange_peer(folder, place)
    words = b"".join(encode([update(1)]))
    for _ in range(100):
        sock.sendall(records.update(ask=False) + records.words(words))
        assert await receive(far, 1) == [update(1)]
    far.close()
    sock.close()
