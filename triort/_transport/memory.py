"""Messages inside one process: the objects themselves, without encoding.

The embedded cluster and the simulation use it, and it keeps the rules of the sockets: messages that are not flushed
are not seen; after a close the peer reads what was flushed before, then `trio.EndOfChannel`; what is sent to a closed
peer vanishes. There is no buffer that fills, so the writer has nothing to do, and ``pending_bytes`` counts also what
the peer has not read.

An end may also have its mail handed over as it is delivered, which saves the turn of a task that reads (`divert`).

Between the two ends there is a `Carrier`. The usual one hands everything over at once; the simulation's takes its time,
and may lose it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import trio

from triort._model.errors import ProtocolError
from triort._model.messages import Message, Received
from triort._model.roles import Badge
from triort._transport.outgoing import Note
from triort._wire.frames import weigh
from triort._wire.shared import Store

_HEADER_BYTES = 64


class Carrier(Protocol):
    """What lies between two ends: it calls `deliver` and `deliver_end` of the peer."""

    def carry(self, end: MemoryConnection, batch: list[Received], size: int) -> None:
        """``end`` has flushed messages."""

    def hang_up(self, end: MemoryConnection) -> None:
        """``end`` has closed."""


class _Direct:
    def carry(self, end: MemoryConnection, batch: list[Received], size: int) -> None:
        end.peer.deliver(batch, size)

    def hang_up(self, end: MemoryConnection) -> None:
        end.peer.deliver_end(None)


class MemoryConnection:
    """One end of a link made by `open_memory_pair`; both are in one process, so neither shows a certificate."""

    cluster = ""
    badge: Badge | None = None

    __slots__ = ("_carrier", "_end", "_inbox", "_inbox_bytes", "_is_closed", "_note", "_outbox", "_outbox_bytes",
                 "_reader", "_take", "host", "name", "peer", "store")  # fmt: skip

    def __init__(self, name: str, carrier: Carrier) -> None:
        self.name = name
        self.host = ""
        self.store: Store | None = None
        self.peer = self
        self._carrier = carrier
        self._outbox: list[Received] = []
        self._outbox_bytes = 0
        self._inbox: list[Received] = []
        self._inbox_bytes = 0
        self._is_closed = False
        self._end: Exception | None = None
        self._note: Note | None = None
        self._reader: trio.lowlevel.Task | None = None
        self._take: Callable[[list[Received]], None] | None = None

    def __repr__(self) -> str:
        return f"<MemoryConnection {self.name}>"

    @property
    def pending_bytes(self) -> int:
        """Bytes queued here or not yet read by the peer."""
        return self._outbox_bytes + self.peer._inbox_bytes

    @property
    def is_broken(self) -> bool:
        """Whether the peer's end has come. What cannot be read does not keep this end from sending."""
        return self._end is not None and not isinstance(self._end, ProtocolError)

    def track(self, note: Note) -> None:
        """Tell of each batch when it is flushed, and keep what is not, also when the link breaks."""
        self._note = note

    def take_unsent(self) -> list[Received]:
        """Take back what is not flushed."""
        unsent, self._outbox, self._outbox_bytes = self._outbox, [], 0
        return unsent

    def lift_limit(self) -> None:
        """There is none."""

    async def secure(self) -> None:
        """Nothing comes first; no checkpoint."""

    def send_nowait(self, message: Message, parts: Sequence[bytes] = ()) -> None:
        """Queue a message; raises `trio.ClosedResourceError` after `close`, swallows it when the peer has closed."""
        if self._is_closed:
            raise trio.ClosedResourceError
        cost = _HEADER_BYTES + weigh(message, parts) + len(getattr(message, "text", ""))
        if not self.is_broken or self._note is not None:
            self._outbox.append((message, list(parts)))
            self._outbox_bytes += cost

    def flush_nowait(self) -> None:
        """Hand all that is queued to the carrier; never blocks."""
        if self._outbox and not self.is_broken:
            batch, size = self._outbox, self._outbox_bytes
            self._outbox, self._outbox_bytes = [], 0
            if self._note is not None:
                self._note([(message, parts, sum(map(len, parts))) for message, parts in batch])
            self._carrier.carry(self, batch, size)

    async def run_writer(self) -> None:
        """Returns: nothing is ever left to write."""
        await trio.lowlevel.checkpoint()

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
            await self._wait_news()
            received = self.receive_nowait()
        return received

    def divert(self, take: Callable[[list[Received]], None]) -> None:
        """Have ``take`` called with all mail, from inside the peer's flush; it must neither block nor wait for what it
        sends in return. `receive` then only waits for the end, or raises what ``take`` has raised."""
        self._take = take
        self._hand_over()

    async def wait_mail(self) -> None:
        """Wait until something has arrived, or the link has ended; takes nothing. A checkpoint."""
        if self._inbox or self._is_closed or self._end is not None:
            await trio.lowlevel.checkpoint()
        else:
            await self._wait_news()

    def stop_waiting(self) -> None:
        """End a `wait_mail`, if there is one, though nothing has arrived."""
        self._tell()

    async def _wait_news(self) -> None:
        if self._reader is not None:
            raise trio.BusyResourceError(f"another task receives from {self.name} already")
        self._reader = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._stop_reading)

    def _stop_reading(self, raise_cancel: object) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED

    def receive_nowait(self) -> list[Received]:
        """All messages that have arrived; empty when there are none. Raises as `receive` does."""
        if self._is_closed:
            raise trio.ClosedResourceError
        if self._inbox:
            received, self._inbox, self._inbox_bytes = self._inbox, [], 0
            return received
        if self._end is not None:
            raise type(self._end)(*self._end.args) from self._end
        return []

    def close(self) -> None:
        """Close at once and drop what is not flushed; idempotent. A blocked `receive` raises
        `trio.ClosedResourceError`."""
        if self._is_closed:
            return
        self._is_closed = True
        self.store = self._take = None
        self._outbox, self._outbox_bytes = [], 0
        self._inbox, self._inbox_bytes = [], 0
        self._tell()
        self._carrier.hang_up(self)

    # -- for the carrier -----------------------------------------------------------------------------------------

    def deliver(self, batch: list[Received], size: int) -> bool:
        """Messages of the peer have arrived; they vanish, and it is False, if this end is closed."""
        if self._is_closed or self._end is not None:
            return False
        self._inbox += batch
        self._inbox_bytes += size
        if self._take is None:
            self._tell()
        else:
            self._hand_over()
        return True

    def _hand_over(self) -> None:
        assert self._take is not None
        mail, self._inbox, self._inbox_bytes = self._inbox, [], 0
        try:
            if mail:
                self._take(mail)
        except Exception as error:
            self.deliver_end(error)

    def deliver_end(self, error: Exception | None) -> None:
        """Nothing more will come: the peer has closed, or ``error``. The first end counts."""
        if self._end is None:
            self._end = error or trio.EndOfChannel(f"{self.name}: the peer has closed the link")
            if self._note is None and self.is_broken:
                self._outbox, self._outbox_bytes = [], 0
            self._tell()

    def _tell(self) -> None:
        if self._reader is not None:
            reader, self._reader = self._reader, None
            trio.lowlevel.reschedule(reader)


def open_memory_pair(
    name_a: str, name_b: str, carrier: Carrier | None = None
) -> tuple[MemoryConnection, MemoryConnection]:
    """Two ends of one link. Each is named after its peer: the first, held by a, is called ``name_b``."""
    carrier = carrier or _Direct()
    a, b = MemoryConnection(name_b, carrier), MemoryConnection(name_a, carrier)
    a.peer, b.peer = b, a
    return a, b
