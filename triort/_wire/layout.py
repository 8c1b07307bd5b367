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
    SubmitJob,
    Talk,
    TaskBatch,
)

PREFIX = struct.Struct("<II")
"""``frame_len``, which counts what follows it, and ``header_len``."""

LENGTH_BYTES = 4

_SIZED = (TaskBatch, Outcomes, Lost, Blobs, JobOutcomes, SubmitJob)


def sizes_of(message: Message) -> list[int]:
    """The lengths of the parts that a message announces; the list is the message's own."""
    if isinstance(message, _SIZED):
        return message.sizes
    if isinstance(message, (Talk, Crashed, Chunk)):
        return [message.size]
    return []


def with_sizes(message: Message, sizes: list[int]) -> Message:
    """The same message with other lengths."""
    if isinstance(message, (Talk, Crashed)):
        return msgspec.structs.replace(message, size=sizes[0])
    return msgspec.structs.replace(message, sizes=sizes)
