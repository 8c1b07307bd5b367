"""What every transport offers: a link that carries whole messages, in order, both ways.

Sending never blocks: a reader that waits for room deadlocks worker → boss → worker. `send_nowait` queues,
`flush_nowait` hands over what the other side takes at once, `run_writer` does the rest. What bounds the queue is the
protocol above (credit downwards, a window upwards, outcomes by the entries that they answer); ``pending_bytes`` lets
a node drop what is not bounded by it (logs, prints).

Errors follow trio: `trio.ClosedResourceError` when this side has closed, `trio.BrokenResourceError` when the world
has, `trio.EndOfChannel` when the peer has closed in order, and `ProtocolError` when it sent what it must not.
"""

from collections.abc import Sequence
from typing import Protocol

from triort._model.messages import Message, Received
from triort._model.roles import Badge
from triort._transport.outgoing import Note
from triort._wire.shared import Store


class Connection(Protocol):
    """One end of a link between two nodes."""

    name: str
    """The peer, readable, for logs and errors."""
    store: Store | None
    """Where large values are put that the peer, or others behind it, are to see without a copy; None: nowhere."""

    @property
    def pending_bytes(self) -> int:
        """Bytes queued here and not yet taken by the other side's buffers."""

    def lift_limit(self) -> None:
        """The peer is known now: it may send more than a handshake takes."""

    def send_nowait(self, message: Message, parts: Sequence[bytes] = ()) -> None:
        """Queue a message; raises `trio.ClosedResourceError` after `close`. A broken link swallows it (the reader
        reports the break)."""

    def flush_nowait(self) -> None:
        """Hand over what is queued as far as it goes without blocking; safe inside a signal handler that did not
        interrupt this very object."""

    async def run_writer(self) -> None:
        """Deliver what `flush_nowait` could not, until the connection is closed or broken. One task runs this."""

    async def receive(self) -> list[Received]:
        """Wait for messages and return all that have arrived, at least one. A cancel loses nothing."""

    def receive_nowait(self) -> list[Received]:
        """All messages that have arrived; empty when there are none. Raises as `receive` does."""

    def close(self) -> None:
        """Close at once, without waiting for what is queued; idempotent."""


class LocalConnection(Connection, Protocol):
    """A link within a host, as workers have it: nothing below it holds back what has arrived, as TLS may."""

    async def wait_mail(self) -> None:
        """Wait until `receive_nowait` has something to return or to raise, and take nothing. So whoever asks for it
        sees all that has arrived, also while this wait is on its way back to its caller. A checkpoint."""

    def stop_waiting(self) -> None:
        """End a `wait_mail`, if there is one, though nothing has arrived. Not for who waits by `receive`."""


class RawConnection(Connection, Protocol):
    """A connection that a session may stand on: it tells what has gone out, and gives back what has not."""

    @property
    def host(self) -> str:
        """From which address the peer has come; empty where it is not known."""

    @property
    def cluster(self) -> str:
        """The cluster that both ends belong to, as their certificates say; empty where there are none."""

    @property
    def badge(self) -> Badge | None:
        """The role in the peer's certificate, once something has come; None where there is none."""

    async def secure(self) -> None:
        """Wait until what has to come before the first message is over, and `badge` is known. Raises as `receive`
        does, and `ProtocolError` if the peer does not wait as well; a cancel loses the connection."""

    @property
    def is_broken(self) -> bool:
        """Whether it is known already that nothing sent now would arrive."""

    def track(self, note: Note) -> None:
        """Call ``note`` with all messages from now on, in the order and at the time in which they are handed over; and
        keep for `take_unsent` what a broken link would swallow."""

    def take_unsent(self) -> list[Received]:
        """Take back what has not been handed over, in its order; whole messages only."""
