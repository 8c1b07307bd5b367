"""From messages to frames and back: a pure machine, bytes in and messages out, with a bound on everything.

    frame = frame_len: u32 | header_len: u32 | header | payload      (little endian; frame_len counts what follows)

The header is msgpack: a list of messages. The payload is the parts of these messages, one after the other; how long
each is stands in the message's ``sizes`` (or ``size``). One frame carries all that was waiting, so the price of a
frame is paid per batch and not per message.

**Large parts.** A part above `CHUNK_BYTES` (and every part of a message whose small parts alone are above
`INLINE_BYTES_MAX`) does not stand in the payload. Its bytes go ahead, in frames that hold one `Chunk` and one piece,
and the message then says ``-n`` where the length would be: take n bytes from the front of the pieces. Between the
frames of pieces other frames may come, as long as none of them takes pieces; so a sender may let small messages
overtake a large one, and has one large message under way at a time. The frame that takes pieces must take all of
them: nothing can be left to rot. Above the parser a message has true lengths, whichever way its parts came.

**Loans.** Over a link that carries descriptors, a large part may go ahead as a whole: in a frame that holds one `Loan`
and nothing else, with the descriptor of the shared memory that it lies in (see `shared`). It counts as a piece, which
must be taken by one part, and as a whole.

**Copies.** Sending copies small parts once (into one buffer) and large ones not at all. Receiving keeps large reads
as they are and joins each part once; small reads, and slices that would pin a much larger read, are gathered in a
bytearray, so a peer that sends byte by byte cannot make us keep an object per byte. Nothing is reserved for bytes
that are announced and have not come.

**The same, however it is cut.** What `FrameParser.feed` yields depends on the bytes alone, not on how they are split
over calls. So messages in front of a fault are still handed out: the call in which the fault is seen returns them,
and the next one raises. `FrameParser.fault` tells at once.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import msgspec

from triort._model.limits import (
    CHUNK_BYTES,
    FRAME_BYTES_MAX,
    FRAME_HEADER_BYTES_MAX,
    INLINE_BYTES_MAX,
    JOIN_BYTES_MAX,
    MESSAGES_PER_FRAME_MAX,
    PARTS_PER_MESSAGE_MAX,
    PAYLOAD_BYTES_MAX,
)
from triort._model.messages import Chunk, Loan, Message
from triort._model.parts import Large
from triort._wire.layout import LENGTH_BYTES, PREFIX, sizes_of, with_sizes
from triort._wire.parser import FrameParser as FrameParser
from triort._wire.shared import Shared

Buffer = bytes | memoryview
Piece = bytes | memoryview | Shared
Lend = Callable[[bytes], Shared | None]
"""Gives a part as one in shared memory, or None where that cannot be."""
Weighed = tuple[Message, Sequence[bytes], int]
"""A message with its parts and their length in all, as `weigh` has found it."""

_SEPARATE_BYTES_MIN = 16 << 10

_encoder = msgspec.msgpack.Encoder()


def weigh(message: Message, parts: Sequence[bytes]) -> int:
    """Check that ``parts`` are those that the message announces, within the limits, and return their length in all.

    Raises `ValueError`: it is our own bug, and the caller's business to split a batch that is too long.
    """
    sizes = sizes_of(message)
    if not sizes and not parts:
        return 0
    if sizes != list(map(len, parts)) or isinstance(message, (Chunk, Loan)):
        raise ValueError(f"{type(message).__name__}: the parts are not those that it announces")
    if len(sizes) > PARTS_PER_MESSAGE_MAX:
        raise ValueError(f"{type(message).__name__}: {len(sizes)} parts, {PARTS_PER_MESSAGE_MAX} are allowed")
    weight = sum(sizes)
    if weight > PAYLOAD_BYTES_MAX:
        raise ValueError(f"{type(message).__name__}: {weight} bytes, {PAYLOAD_BYTES_MAX} are allowed")
    return weight


def is_bulk(entry: Weighed) -> bool:
    """Whether the message must be sent with `split_bulk`."""
    _, parts, weight = entry
    return weight > CHUNK_BYTES and (weight > INLINE_BYTES_MAX or max(map(len, parts)) > CHUNK_BYTES)


def split_bulk(entry: Weighed, lend: Lend | None = None) -> tuple[Weighed, Iterator[Piece]]:
    """The pieces of a bulk message, each to be sent with `encode_piece`, and what to send after them."""
    message, parts, _ = entry
    small = sum(len(part) for part in parts if len(part) <= CHUNK_BYTES)
    limit = CHUNK_BYTES if small <= INLINE_BYTES_MAX else 0
    inline = [part for part in parts if len(part) <= limit]
    sizes = [len(part) if len(part) <= limit else -len(part) for part in parts]
    large = [part for part in parts if len(part) > limit]
    pieces = chain.from_iterable(_lent_or_cut(part, lend) for part in large)
    return (with_sizes(message, sizes), inline, sum(map(len, inline))), pieces


def _lent_or_cut(part: bytes, lend: Lend | None) -> Iterator[Piece]:
    shared = lend(part) if lend is not None and len(part) > CHUNK_BYTES else None
    return cut(part) if shared is None else iter((shared,))


def cut(part: bytes) -> Iterator[Piece]:
    """A part in pieces."""
    if isinstance(part, Large):
        return part.pieces(CHUNK_BYTES)
    view = memoryview(part)
    return (view[at : at + CHUNK_BYTES] for at in range(0, len(view), CHUNK_BYTES))


def encode_piece(piece: Piece) -> list[Buffer]:
    """The frame of one piece of a bulk message; with that of a `Shared` its descriptor has to go."""
    if isinstance(piece, Shared):
        header = _encoder.encode([Loan(len(piece))])
        return [PREFIX.pack(LENGTH_BYTES + len(header), len(header)) + header]
    header = _encoder.encode([Chunk(len(piece))])
    return [PREFIX.pack(LENGTH_BYTES + len(header) + len(piece), len(header)) + header, piece]


def encode_weighed(batch: Sequence[Weighed]) -> list[Buffer]:
    """One frame with all these messages (several, if it would be above a limit), as buffers to send in this order.

    None of them is bulk, or `split_bulk` has been there before. Raises `ValueError` for a message whose header alone
    is above the limit; the caller splits.
    """
    header = _encoder.encode([entry[0] for entry in batch])
    frame_len = LENGTH_BYTES + len(header) + sum([entry[2] for entry in batch])
    fits = len(header) <= FRAME_HEADER_BYTES_MAX and frame_len <= FRAME_BYTES_MAX
    if not fits or len(batch) > MESSAGES_PER_FRAME_MAX:
        if len(batch) == 1:
            raise ValueError(f"{type(batch[0][0]).__name__}: a header of {len(header)} bytes is too long")
        half = len(batch) // 2
        return encode_weighed(batch[:half]) + encode_weighed(batch[half:])
    start = (PREFIX.pack(frame_len, len(header)), header)
    parts = chain(start, chain.from_iterable([entry[1] for entry in batch]))
    return [b"".join(parts)] if frame_len <= JOIN_BYTES_MAX else _join_small(parts)


def encode(messages: Sequence[tuple[Message, Sequence[bytes]]]) -> list[Buffer]:
    """Everything that has to be sent for these messages, in order; bulk messages in pieces.

    Raises `ValueError` for parts that are not as announced and for what is above a limit; callers split long batches.
    """
    buffers: list[Buffer] = []
    batch: list[Weighed] = []
    for message, parts in messages:
        entry = (message, parts, weigh(message, parts))
        if is_bulk(entry):
            if batch:
                buffers += encode_weighed(batch)
                batch = []
            entry, pieces = split_bulk(entry)
            for piece in pieces:
                buffers += encode_piece(piece)
        batch.append(entry)
        if entry[0] is not message:
            buffers += encode_weighed(batch)
            batch = []
    return buffers + encode_weighed(batch) if batch else buffers


def _join_small(parts: Iterator[bytes]) -> list[Buffer]:
    buffers: list[Buffer] = []
    run: list[bytes] = []
    for part in parts:
        if len(part) < _SEPARATE_BYTES_MIN:
            run.append(part)
            continue
        if run:
            buffers.append(b"".join(run))
            run = []
        buffers.append(part)
    return [*buffers, b"".join(run)] if run else buffers
