"""What both directions of `triort._wire.frames` share: the prefix of a frame, and where a message keeps its lengths."""

import struct

import msgspec

from triort._model.messages import (
    Blobs,
    Chunk,
    Crashed,
    JobOutcomes,
    Lost,
    Message,
    Outcomes,
    Returned,
    Submit,
    SubmitJob,
    Talk,
)

PREFIX = struct.Struct("<II")
"""``frame_len``, which counts what follows it, and ``header_len``."""

LENGTH_BYTES = 4

_SIZED = frozenset((Submit, Returned, Outcomes, Lost, Blobs, JobOutcomes, SubmitJob))
_ONE = frozenset((Talk, Crashed, Chunk))


def sizes_of(message: Message) -> list[int]:
    """The lengths of the parts that a message announces; the list is the message's own."""
    kind = type(message)
    if kind in _SIZED:
        sizes: list[int] = message.sizes  # type: ignore[attr-defined]
        return sizes
    return [message.size] if kind in _ONE else []  # type: ignore[attr-defined]


def with_sizes(message: Message, sizes: list[int]) -> Message:
    """The same message with other lengths."""
    if isinstance(message, (Talk, Crashed)):
        return msgspec.structs.replace(message, size=sizes[0])
    return msgspec.structs.replace(message, sizes=sizes)
