"""What one end of a link still has to send, and in which order.

Messages go out in the order in which they came, batched. Only *bulk* (a message whose large parts travel in pieces)
is different: it may take seconds, and what steers the tree must not wait that long. So there are two queues. ``front``
is sent next, as one batch. ``_bulk`` starts with a bulk message and holds everything that came after it; its pieces
go out one by one, and whatever is in front goes between them.

While there is bulk, a message goes to the front if its type is one of `_CONTROL`, and behind the bulk otherwise. A
`Cancel` goes to the front unless a batch that holds one of its addresses is behind: a peer ignores a Cancel of what
it does not know, and would then run the task. Nothing else refers to what may be behind it. Since the front
is FIFO, messages of one type keep their order (a stale Waiting never comes after a fresh one); Cancels alone may
change places with each other, which means nothing.

Over a link that can lend, a large part is no piece but a loan: it goes at once, with a descriptor. If the system does
not let it go, its bytes go in pieces after all.

Whoever has to know which messages are on their way, and in which order, gives a `Note`: it is called with each batch
once that is encoded, and with a bulk message once its last piece is. All others can still be taken back.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from triort._model.messages import (
    Beat,
    Bye,
    Cancel,
    Message,
    Received,
    Refuse,
    Shutdown,
    StatusReply,
    StatusRequest,
    TaskBatch,
    Waiting,
    Want,
)
from triort._wire.frames import (
    Buffer,
    Lend,
    Piece,
    Weighed,
    cut,
    encode_piece,
    encode_weighed,
    is_bulk,
    split_bulk,
    weigh,
)
from triort._wire.shared import Shared

Note = Callable[[Sequence[Weighed]], None]

_CONTROL = (Cancel, Shutdown, Want, Waiting, StatusRequest, StatusReply, Refuse, Beat, Bye)
_HEADER_BYTES = 64


class Outgoing:
    """The queue of one link. ``pending_bytes`` is the length of all parts and texts in it, headers by estimate."""

    __slots__ = ("_bulk", "_front", "_front_bytes", "_lend", "_pieces", "_whole", "loan", "note", "pending_bytes")

    def __init__(self, lend: Lend | None = None) -> None:
        self._front: list[Weighed] = []
        self._front_bytes = 0
        self._bulk: deque[Weighed] = deque()
        self._pieces: Iterator[Piece] | None = None
        self._whole: Weighed | None = None
        """The bulk message under way, as it was before it was split."""
        self._lend = lend
        self.loan: Shared | None = None
        """What is lent by what `next_buffers` has returned: its descriptor goes with the first byte of that."""
        self.note: Note | None = None
        self.pending_bytes = 0

    def push(self, message: Message, parts: Sequence[bytes]) -> None:
        """Queue a message; raises `ValueError` for what `weigh` refuses."""
        entry = (message, parts, weigh(message, parts))
        cost = cost_of(entry)
        self.pending_bytes += cost
        if self._bulk:
            overtakes = isinstance(message, _CONTROL) and not self._follows_bulk(message)
        else:
            overtakes = not is_bulk(entry)
        if overtakes:
            self._front.append(entry)
            self._front_bytes += cost
        else:
            self._bulk.append(entry)

    def next_buffers(self) -> list[Buffer]:
        """Encode what comes next: the front, or one piece of bulk. Empty when there is nothing left."""
        if not self._front and self._bulk:
            piece = self._next_piece()
            if piece is not None:
                self.loan = piece if isinstance(piece, Shared) else None
                return encode_piece(piece)
        if not self._front:
            return []
        front, self._front = self._front, []
        self.pending_bytes -= self._front_bytes
        self._front_bytes = 0
        buffers = encode_weighed(front)
        if self._whole is not None and self._pieces is None:  # its pieces have gone, and it heads this batch
            front[0], self._whole = self._whole, None
        if self.note is not None:
            self.note(front)
        return buffers

    def cut_loan(self) -> None:
        """The loan does not go, and nothing of what belongs to it has: its bytes go in pieces."""
        assert self.loan is not None
        assert self._pieces is not None
        self._pieces = chain(cut(self.loan), self._pieces)
        self.pending_bytes += len(self.loan)
        self.loan = None

    def take_all(self) -> list[Received]:
        """Take back what is not encoded, in its order; a bulk message of which pieces have gone is whole again."""
        if self._whole is not None:
            self._bulk[0] = self._whole
        left = [(message, list(parts)) for message, parts, _ in (*self._front, *self._bulk)]
        self.clear()
        return left

    def clear(self) -> None:
        """Forget everything."""
        self._front, self._front_bytes = [], 0
        self._bulk.clear()
        self._pieces = self._whole = self.loan = None
        self.pending_bytes = 0

    def _follows_bulk(self, message: Message) -> bool:
        if not isinstance(message, Cancel):
            return False
        addresses = set(message.addresses)
        return any(isinstance(m, TaskBatch) and not addresses.isdisjoint(m.addresses) for m, _, _ in self._bulk)

    def _next_piece(self) -> Piece | None:
        """The next piece of the first bulk message; when there is none left, the message itself goes to the front,
        with what follows up to the next bulk."""
        if self._pieces is None:
            self._whole = self._bulk[0]
            self._bulk[0], self._pieces = split_bulk(self._whole, self._lend)
        piece = next(self._pieces, None)
        if piece is not None:
            self.pending_bytes -= len(piece)
            return piece
        self._pieces = None
        self._to_front(self._bulk.popleft())
        while self._bulk and not is_bulk(self._bulk[0]):
            self._to_front(self._bulk.popleft())
        return None

    def _to_front(self, entry: Weighed) -> None:
        self._front.append(entry)
        self._front_bytes += cost_of(entry)


def cost_of(entry: Weighed) -> int:
    """What a message takes in memory, by estimate."""
    return _HEADER_BYTES + entry[2] + len(getattr(entry[0], "text", ""))
