"""Messages inside one process: the objects themselves, without encoding.

The embedded cluster and the simulation use it, and it keeps the rules of the sockets: messages that are not flushed
are not seen; after a close the peer reads what was flushed before, then `trio.EndOfChannel`; what is sent to a closed
peer vanishes. There is no buffer that fills, so the writer has nothing to do, and ``pending_bytes`` counts also what
the peer has not read.
"""

from collections import deque
from collections.abc import Sequence

import trio

from triort._model.messages import Message, Received
from triort._wire.frames import weigh

_HEADER_BYTES = 64


class MemoryConnection:
    """One end of a link made by `open_memory_pair`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._peer = self
        self._outbox: list[Received] = []
        self._outbox_bytes = 0
        self._inbox: deque[list[Received]] = deque()
        self._inbox_bytes = 0
        self._is_closed = False
        self._is_broken = False
        self._readable = trio.Event()
        self._ended = trio.Event()

    def __repr__(self) -> str:
        return f"<MemoryConnection {self.name}>"

    @property
    def pending_bytes(self) -> int:
        """Bytes queued here or not yet read by the peer."""
        return self._outbox_bytes + self._peer._inbox_bytes

    def send_nowait(self, message: Message, parts: Sequence[bytes] = ()) -> None:
        """Queue a message; raises `trio.ClosedResourceError` after `close`, swallows it when the peer has closed."""
        if self._is_closed:
            raise trio.ClosedResourceError
        cost = _HEADER_BYTES + weigh(message, parts) + len(getattr(message, "text", ""))
        if not self._is_broken:
            self._outbox.append((message, list(parts)))
            self._outbox_bytes += cost

    def flush_nowait(self) -> None:
        """Hand all that is queued to the peer; never blocks."""
        if not self._outbox:
            return
        peer = self._peer
        if peer._is_closed:
            self._is_broken = True
            self._ended.set()
        else:
            peer._inbox.append(self._outbox)
            peer._inbox_bytes += self._outbox_bytes
            peer._readable.set()
        self._outbox, self._outbox_bytes = [], 0

    async def run_writer(self) -> None:
        """Nothing is ever left to write: sleeps until the connection is closed or broken."""
        await self._ended.wait()

    async def receive(self) -> list[Received]:
        """Wait for messages and return all that have arrived. A checkpoint; a cancel loses nothing.

        Raises `trio.EndOfChannel` when the peer has closed, `trio.ClosedResourceError` when this end has.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        received = self.receive_nowait()
        if received:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return received
        while not received:
            await self._readable.wait()
            received = self.receive_nowait()
        return received

    def receive_nowait(self) -> list[Received]:
        """All messages that have arrived; empty when there are none. Raises as `receive` does."""
        if self._is_closed:
            raise trio.ClosedResourceError
        received = [item for batch in self._inbox for item in batch]
        self._inbox.clear()
        self._inbox_bytes = 0
        if not received and self._peer._is_closed:
            raise trio.EndOfChannel(f"{self.name}: the peer has closed the link")
        if self._readable.is_set() and not self._peer._is_closed:
            self._readable = trio.Event()
        return received

    def close(self) -> None:
        """Close at once and drop what is not flushed; idempotent. A blocked `receive` raises
        `trio.ClosedResourceError`, `run_writer` returns."""
        self._is_closed = True
        self._outbox, self._outbox_bytes = [], 0
        self._inbox.clear()
        self._inbox_bytes = 0
        self._readable.set()
        self._ended.set()
        self._peer._readable.set()


def open_memory_pair(name_a: str, name_b: str) -> tuple[MemoryConnection, MemoryConnection]:
    """Two ends of one link. Each is named after its peer: the first, held by a, is called ``name_b``."""
    a, b = MemoryConnection(name_b), MemoryConnection(name_a)
    a._peer, b._peer = b, a
    return a, b
