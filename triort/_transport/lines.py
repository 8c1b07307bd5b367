"""What a connection sends and receives its bytes through: the socket itself, or TLS on it (`tls`).

**How much is read.** Room for `RECEIVE_BYTES` comes from the system anew for each read and costs ten times the read of
a small message (10 µs against 1 µs, seen); so that much is asked for only after a read that brought a lot. All other
reads go into one buffer, and what has come is copied. To take room for 64 KiB each time, as ``recv`` does, and to give
back what was left over made holes that the next 64 KiB did not fit into, for malloc keeps the few bytes in front of
each for later: at 500 tasks a second the heap of each node grew by 2 to 4 MiB an hour, without end (seen).
"""

from __future__ import annotations

import mmap
import socket
from collections.abc import Sequence
from typing import Protocol

from triort._model.limits import RECEIVE_FEW_BYTES
from triort._model.roles import Badge
from triort._transport.descriptors import receive_with_loans
from triort._wire.frames import Buffer
from triort._wire.shared import Shared

BUFFERS_PER_SEND_MAX = 64


class Line(Protocol):
    """Bytes, both ways, over a non-blocking socket."""

    is_open: bool
    """Whether anything can be sent by now; a handshake may come first."""
    badge: Badge | None
    """The role in the peer's certificate; None where there is none, or before it has come."""
    cluster: str
    """The cluster that both ends belong to; empty where there are no certificates."""

    @property
    def keeps_back(self) -> bool:
        """Whether something may have been read from the socket already, so that to wait for that is not enough."""

    @property
    def pending_bytes(self) -> int:
        """What was taken from `send` and not yet by the system."""

    def lift_limit(self) -> None:
        """The peer has been let in."""

    def start(self) -> None:
        """Begin what comes first. Raises `OSError`."""

    def send(self, buffers: Sequence[Buffer]) -> int:
        """Send some of this; how much was taken. Raises `OSError`, `BlockingIOError` when nothing can be."""

    def drain(self) -> bool:
        """Whether the system has taken all that `send` has. Raises `OSError`."""

    def receive(self, size: int) -> tuple[bytes, list[Shared]]:
        """So many bytes at most and what was lent with them; empty when the peer has closed.

        Raises `BlockingIOError` when nothing is there, `ProtocolError` by the peer's fault, and other `OSError`.
        """

    def close(self) -> None:
        """This end closes: tell the peer, if there is a way, and let go of everything but the socket."""


def make_room() -> memoryview:
    """A buffer for reads, whose pages are taken as they are used."""
    return memoryview(mmap.mmap(-1, RECEIVE_FEW_BYTES, flags=mmap.MAP_PRIVATE))


class PlainLine:
    """The socket itself; over a Unix socket descriptors may come, too."""

    __slots__ = ("_is_unix", "_room", "_sock", "badge", "cluster", "is_open", "keeps_back",
                 "pending_bytes")  # fmt: skip

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._is_unix = sock.family == socket.AF_UNIX
        self._room = make_room()
        self.is_open = True
        self.keeps_back = False
        self.badge: Badge | None = None
        self.cluster = ""
        self.pending_bytes = 0

    def lift_limit(self) -> None:
        """There is none here."""

    def start(self) -> None:
        """Nothing comes first."""

    def send(self, buffers: Sequence[Buffer]) -> int:
        """Hand over what the system takes."""
        if len(buffers) == 1:
            return self._sock.send(buffers[0])
        return self._sock.sendmsg(buffers[:BUFFERS_PER_SEND_MAX])

    def drain(self) -> bool:
        """Nothing is kept here."""
        return True

    def receive(self, size: int) -> tuple[bytes, list[Shared]]:
        """Read once."""
        if self._is_unix:
            return receive_with_loans(self._sock, size, self._room)
        if size > RECEIVE_FEW_BYTES:
            return self._sock.recv(size), []
        return bytes(self._room[: self._sock.recv_into(self._room, size)]), []

    def close(self) -> None:
        """The close of the socket tells the peer."""
        self._room.release()
