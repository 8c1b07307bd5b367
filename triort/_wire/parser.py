"""The receiving half of `triort._wire.frames`, which tells the format and its rules.

A frame is read in steps, each of which waits for a known number of bytes: prefix, header, payload. The header is
checked in full before its payload is waited for. Pieces of large parts are the exception: they are taken as they come.
"""

import enum
from collections.abc import Sequence
from itertools import accumulate, pairwise

import msgspec

from triort._model.errors import ProtocolError
from triort._model.limits import (
    FRAME_BYTES_MAX,
    FRAME_HEADER_BYTES_MAX,
    MESSAGES_PER_FRAME_MAX,
    PARTS_PER_MESSAGE_MAX,
    PAYLOAD_BYTES_MAX,
)
from triort._model.messages import AnyMessage, Chunk, Loan, Message, Received
from triort._wire.checks import check_message
from triort._wire.layout import LENGTH_BYTES, PREFIX, sizes_of, with_sizes
from triort._wire.pile import Pile
from triort._wire.shared import Shared

_FAULT_CHARS_MAX = 200
_LONE = frozenset((Chunk, Loan))
"""What stands alone in its frame."""

_decoder: msgspec.msgpack.Decoder[list[Message]] = msgspec.msgpack.Decoder(list[AnyMessage])


class _Stage(enum.Enum):
    """What the next bytes are."""

    PREFIX = enum.auto()
    HEADER = enum.auto()
    PAYLOAD = enum.auto()
    PIECE = enum.auto()


class FrameParser:
    """Bytes in, messages out.

    With ``max_bytes``, more input than that in all is a fault, until `lift_limit`.
    """

    __slots__ = ("_fault", "_lent", "_messages", "_need", "_partial", "_payload", "_pieces", "_room", "_stage")

    def __init__(self, max_bytes: int | None = None) -> None:
        self._room = max_bytes
        self._fault: str | None = None
        self._partial = Pile()
        self._pieces = Pile()
        self._messages: list[Message] = []
        self._lent: list[Shared] = []
        """What has come beside the bytes, and is not announced yet."""
        self._payload = 0
        self._expect(_Stage.PREFIX, PREFIX.size)

    @property
    def fault(self) -> str | None:
        """What the peer did wrong, as soon as it is seen; from then on `feed` raises it."""
        return self._fault

    @property
    def room(self) -> int | None:
        """How many bytes may still be fed before the limit; None without one."""
        return self._room

    @property
    def is_partial(self) -> bool:
        """Whether the end of the input here would cut something off."""
        return bool(self._partial.size or self._pieces.size or self._stage is not _Stage.PREFIX)

    def lift_limit(self) -> None:
        """The peer has been let in: from now on only the limits of frames hold."""
        self._room = None

    def feed(self, data: bytes | memoryview, lent: Sequence[Shared] = ()) -> list[Received]:
        """The messages that are complete with ``data``. Raises `ProtocolError`, and nothing else, for bad input.

        ``lent`` has come with ``data``, not before the first byte of the frames that announce it.
        """
        if self._fault is not None:
            raise ProtocolError(self._fault)
        received: list[Received] = []
        try:
            if lent:
                self._expect_loans(lent)
            self._parse(data if isinstance(data, bytes) else bytes(data), received)
            if self._lent:
                self._check_loans()
        except ProtocolError as error:
            self._fault = str(error)
            self.drop()
            if not received:
                raise
        return received

    def drop(self) -> None:
        """Nothing more will be fed: let go of what is here."""
        self._partial, self._pieces, self._messages, self._lent = Pile(), Pile(), [], []

    def _expect_loans(self, lent: Sequence[Shared]) -> None:
        if self._room is not None:
            raise ProtocolError("a loan of a peer before it is let in")
        self._lent += lent

    def _check_loans(self) -> None:
        """Only the frame that is under way may still announce one."""
        is_within = self._stage is not _Stage.PREFIX or self._partial.size
        if len(self._lent) > bool(is_within):
            raise ProtocolError("a loan that no frame announces")

    def _parse(self, data: bytes, received: list[Received]) -> None:
        position, end = 0, len(data)
        if self._room is not None:
            end = min(end, self._room)
            self._room -= end
        while True:
            if self._stage is _Stage.PIECE:
                position = self._read_piece(data, position, end)
                if self._need:
                    break
                self._expect(_Stage.PREFIX, PREFIX.size)
            held = self._partial.size
            missing = self._need - held
            if end - position < missing:
                if position < end:
                    self._partial.add(data, position, end)
                break
            start, position = position, position + missing
            if held:
                self._partial.add(data, start, position)
                self._step(self._partial.take(held + missing), 0, received)
            else:
                self._step(data, start, received)
        if end < len(data):
            raise ProtocolError("more bytes than a peer may send before it is let in")

    def _expect(self, stage: _Stage, need: int) -> None:
        self._stage = stage
        self._need = need

    def _step(self, data: bytes, start: int, received: list[Received]) -> None:
        if self._stage is _Stage.PREFIX:
            self._read_prefix(data, start)
        elif self._stage is _Stage.HEADER:
            self._read_header(memoryview(data)[start : start + self._need])
        else:
            self._read_payload(data, start, received)

    def _read_prefix(self, data: bytes, start: int) -> None:
        frame_len, header_len = PREFIX.unpack_from(data, start)
        if frame_len > FRAME_BYTES_MAX:
            raise ProtocolError(f"a frame of {frame_len} bytes, {FRAME_BYTES_MAX} are allowed")
        if header_len > min(FRAME_HEADER_BYTES_MAX, frame_len - LENGTH_BYTES):
            raise ProtocolError(f"a frame of {frame_len} bytes with a header of {header_len}")
        self._payload = frame_len - LENGTH_BYTES - header_len
        self._expect(_Stage.HEADER, header_len)

    def _read_header(self, header: memoryview) -> None:
        try:
            messages = _decoder.decode(header)
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
            raise ProtocolError(f"an unreadable header: {error}"[:_FAULT_CHARS_MAX]) from None
        if not 0 < len(messages) <= MESSAGES_PER_FRAME_MAX:
            raise ProtocolError(f"a frame of {len(messages)} messages, 1 to {MESSAGES_PER_FRAME_MAX} are allowed")
        inline = from_pieces = 0
        lone: type[Message] | None = None
        for message in messages:
            if type(message) in _LONE:
                lone = type(message)
            there, ahead = _announced(message)
            inline += there
            from_pieces += ahead
        if inline != self._payload:
            raise ProtocolError(f"{inline} bytes announced in a payload of {self._payload}")
        if from_pieces and from_pieces != self._pieces.size:
            raise ProtocolError(f"{from_pieces} bytes taken from pieces of {self._pieces.size}")
        self._messages = messages
        if lone is None:
            self._expect(_Stage.PAYLOAD, self._payload)
        elif lone is Chunk:
            self._expect_piece()
        else:
            self._take_loan(messages[0])

    def _take_loan(self, message: Message) -> None:
        if len(self._messages) > 1 or not isinstance(message, Loan):
            raise ProtocolError("a loan that is not alone in its frame")
        if self._pieces.size + message.size > PAYLOAD_BYTES_MAX:
            raise ProtocolError(f"pieces of more than {PAYLOAD_BYTES_MAX} bytes")
        if not self._lent:
            raise ProtocolError("a loan without its descriptor")
        shared = self._lent.pop(0)
        shared.verify(message.size)
        if shared.has_room():
            self._pieces.add_shared(shared)
        else:
            self._pieces.add(bytes(shared), 0, message.size)
        self._messages = []
        self._expect(_Stage.PREFIX, PREFIX.size)

    def _expect_piece(self) -> None:
        if len(self._messages) > 1:
            raise ProtocolError("a piece that is not alone in its frame")
        if self._pieces.size + self._payload > PAYLOAD_BYTES_MAX:
            raise ProtocolError(f"pieces of more than {PAYLOAD_BYTES_MAX} bytes")
        self._expect(_Stage.PIECE, self._payload)

    def _read_piece(self, data: bytes, position: int, end: int) -> int:
        stop = min(position + self._need, end)
        if stop > position:
            self._pieces.add(data, position, stop)
            self._need -= stop - position
        return stop

    def _read_payload(self, data: bytes, start: int, received: list[Received]) -> None:
        for message in self._messages:
            sizes = sizes_of(message)
            if not sizes:
                received.append((message, []))
            elif min(sizes) < 0:
                message, parts, start = self._gather(message, sizes, data, start)
                received.append((message, parts))
            else:
                ends = list(accumulate(sizes, initial=start))
                received.append((message, [data[a:b] for a, b in pairwise(ends)]))
                start = ends[-1]
        self._messages = []
        self._expect(_Stage.PREFIX, PREFIX.size)

    def _gather(self, message: Message, sizes: list[int], data: bytes, start: int) -> tuple[Message, list[bytes], int]:
        parts: list[bytes] = []
        for size in sizes:
            if size < 0:
                parts.append(self._pieces.take(-size))
            else:
                parts.append(data[start : start + size])
                start += size
        return with_sizes(message, [abs(size) for size in sizes]), parts, start


def _announced(message: Message) -> tuple[int, int]:
    """How many bytes of the payload a decoded message takes, and how many of the pieces ahead of it."""
    check_message(message)
    sizes = sizes_of(message)
    if not sizes:
        return 0, 0
    if len(sizes) > PARTS_PER_MESSAGE_MAX:
        raise ProtocolError(f"{type(message).__name__}: {len(sizes)} parts, {PARTS_PER_MESSAGE_MAX} are allowed")
    total = sum(sizes)
    if min(sizes) >= 0:
        return total, 0
    ahead = -sum(size for size in sizes if size < 0)
    if total + 2 * ahead > PAYLOAD_BYTES_MAX:
        raise ProtocolError(f"{type(message).__name__}: more than {PAYLOAD_BYTES_MAX} bytes")
    return total + ahead, ahead
