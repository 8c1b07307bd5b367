"""What one end of a session has to remember so that the other one misses nothing, whatever connection breaks.

Both ends count: what they have handed over to a connection, in that order, and what has come. A Beat tells the count of
what has come, a *receipt*. What has no receipt yet is kept, up to a bound; beyond it the oldest goes, and with it
the way to resume until a receipt has come for it, too: no exact resume, no resume.

After a break each end hears the other's count. What goes beyond it is sent again, and numbered again: a queue that lets
control overtake bulk may choose another order this time. That does no harm, for the peer has nothing of it; what
it has is the beginning up to its count, and this is the same for both.
"""

from collections import deque
from collections.abc import Sequence

from triort._model.errors import ProtocolError
from triort._model.limits import RECEIPT_BYTES, RECEIPT_MESSAGES, RESUME_BYTES_MAX, RESUME_MESSAGES_MAX
from triort._model.messages import Beat, Bye, Received
from triort._transport.outgoing import cost_of
from triort._wire.frames import Weighed

UNCOUNTED = frozenset({Beat, Bye})


class Replay:
    """The counts of one end, and what it may have to send again."""

    __slots__ = ("_kept", "_kept_bytes", "_received_bytes", "_told", "_told_bytes", "first", "received", "sent")

    def __init__(self) -> None:
        self.sent = 0
        """How many messages have been handed over."""
        self.first = 0
        """How many of these are not kept any more."""
        self.received = 0
        """How many messages have come."""
        self._kept: deque[Weighed] = deque()
        self._kept_bytes = 0
        self._received_bytes = 0
        self._told = 0
        self._told_bytes = 0

    @property
    def kept_bytes(self) -> int:
        """What is kept, by estimate; `RESUME_BYTES_MAX` at most."""
        return self._kept_bytes

    # -- sending -------------------------------------------------------------------------------------------------

    def note_sent(self, batch: Sequence[Weighed]) -> None:
        """These messages are on their way."""
        kept = self._kept
        for entry in batch:
            if type(entry[0]) not in UNCOUNTED:
                self.sent += 1
                kept.append(entry)
                self._kept_bytes += cost_of(entry)
        while self._kept_bytes > RESUME_BYTES_MAX or len(kept) > RESUME_MESSAGES_MAX:
            self._drop_first()

    def note_receipt(self, count: int) -> None:
        """The peer has so many of them; raises `ProtocolError` if it cannot."""
        if count > self.sent:
            raise ProtocolError(f"a receipt for {count} messages, when {self.sent} were sent")
        while self.first < count:
            self._drop_first()

    def can_rewind(self, count: int) -> bool:
        """Whether all messages after the first ``count`` are still here."""
        return self.first <= count <= self.sent

    def rewind(self, count: int) -> list[Received]:
        """The peer has the first ``count`` messages: take all others back, to be sent again."""
        assert self.can_rewind(count)
        self.note_receipt(count)
        again: list[Received] = [(message, list(parts)) for message, parts, _ in self._kept]
        self._kept.clear()
        self._kept_bytes = 0
        self.sent = count
        return again

    def clear(self) -> None:
        """The session is over: nothing will be sent again."""
        self._kept.clear()
        self._kept_bytes = 0
        self.first = self.sent

    def _drop_first(self) -> None:
        self._kept_bytes -= cost_of(self._kept.popleft())
        self.first += 1

    # -- receiving -----------------------------------------------------------------------------------------------

    def note_received(self, batch: Sequence[Received]) -> None:
        """These messages have come."""
        self.received += len(batch)
        for _, parts in batch:
            self._received_bytes += sum(map(len, parts))

    @property
    def owes_receipt(self) -> bool:
        """Whether so much has come since the last receipt that the peer should hear of it."""
        return (
            self.received - self._told >= RECEIPT_MESSAGES or self._received_bytes - self._told_bytes >= RECEIPT_BYTES
        )

    def receipt(self) -> int:
        """The count to be told now."""
        self._told, self._told_bytes = self.received, self._received_bytes
        return self.received
