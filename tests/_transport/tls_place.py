"""A server that listens with an access of its own, for tests of TLS."""

from __future__ import annotations

import socket

from triort._access.access import Access
from triort._transport.sockets import SocketConnection
from triort._transport.tcp import accept_tcp, dial_tcp

Ends = tuple[SocketConnection, SocketConnection]
HOST = "127.0.0.1"


class Place:
    """A server that listens with an access of its own."""

    def __init__(self, listener: socket.socket, access: Access) -> None:
        self.listener, self.access = listener, access
        self.port: int = listener.getsockname()[1]

    async def meet(self, access: Access) -> Ends:
        """The dialler's end and the listener's."""
        near = await dial_tcp(HOST, self.port, access, timeout_s=5)
        return near, await accept_tcp(self.listener, self.access)

    async def meet_stranger(self) -> tuple[socket.socket, SocketConnection]:
        sock = socket.create_connection((HOST, self.port))
        return sock, await accept_tcp(self.listener, self.access)
