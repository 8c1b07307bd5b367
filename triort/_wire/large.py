"""How a large value lies in a part: its pickle, and beside it the buffers that the pickle only mentions.

    part = magic | count: u32 | count × u64 | pickle | buffer | buffer | …      (little endian)

Each number is twice the length of what it stands for, in this order, and one more if that is to be a `bytes` object.
What follows the numbers starts at multiples of 64. A part that is a plain pickle starts with another byte.

Nothing of this is copied as long as it need not be: a `Spread` part is the very objects of the user. That is safe
because they are `bytes`; what can change is copied at once, if possible to where it is to lie anyway (shared memory).
"""

import struct
from collections.abc import Iterator, Sequence

from triort._model.errors import ProtocolError
from triort._model.limits import CHUNK_BYTES, OUT_OF_BAND_BYTES_MIN
from triort._model.parts import Large
from triort._wire.memory import copied, empty_memory, read_into
from triort._wire.shared import Shared, Store

MAGIC = b"\0tri"
ALIGN_BYTES = 64
_COUNT = struct.Struct("<4sI")
_NUMBER_BYTES = 8
_HEAD_BYTES = 4 << 10
_NEXT_BUFFER = b"\x97"
_FRAME = struct.Struct("<cQ")
_AROUND_A_FRAME = (_FRAME.size, _FRAME.size + 5, _FRAME.size + 9)
"""How much longer a piece is than the frame in it: by its opcode, and maybe that of the bytes behind it."""

Extent = tuple[int, int, bool]
"""Where a buffer starts in its part, how long it is, and whether it is to be a `bytes` object."""


def _aligned(size: int) -> int:
    return -(-size // ALIGN_BYTES) * ALIGN_BYTES


def _extents(sizes: Sequence[int], kinds: Sequence[bool]) -> list[Extent]:
    at = _aligned(_COUNT.size + _NUMBER_BYTES * len(sizes))
    extents = []
    for size, is_bytes in zip(sizes, kinds, strict=True):
        extents.append((at, size, is_bytes))
        at = _aligned(at + size)
    return extents


def read_head(head: bytes | memoryview, size: int) -> list[Extent]:
    """Where the pickle and the buffers lie in a part of this size; raises `ProtocolError` if that cannot be."""
    try:
        magic, count = _COUNT.unpack_from(head)
        numbers = struct.unpack_from(f"<{count}Q", head, _COUNT.size)
    except struct.error:
        raise ProtocolError("a large part ends in its head") from None
    extents = _extents([number >> 1 for number in numbers], [bool(number & 1) for number in numbers])
    if magic != MAGIC or not extents or extents[-1][0] + extents[-1][1] > size:
        raise ProtocolError("a large part is not as it says")
    return extents


class Spread(Large):
    """A large part in the memory of this process, buffer by buffer. `bytes` stay what they are; the others are views of
    what nobody changes any more."""

    __slots__ = ("_size", "buffers", "pickle")

    def __init__(self, pickle: bytes, buffers: Sequence[bytes | memoryview]) -> None:
        self.pickle = pickle
        self.buffers = buffers
        start, size, _ = _extents([len(pickle), *map(len, buffers)], [False] * (len(buffers) + 1))[-1]
        self._size = start + size

    def __len__(self) -> int:
        return self._size

    def pieces(self, size_max: int) -> Iterator[bytes | memoryview]:
        """All of it, in order; the buffers are not copied."""
        contents = [self.pickle, *self.buffers]
        numbers = [len(data) << 1 | isinstance(data, bytes) for data in contents]
        numbers[0] = len(self.pickle) << 1
        head = _COUNT.pack(MAGIC, len(numbers)) + struct.pack(f"<{len(numbers)}Q", *numbers)
        first = _padded(head) + self.pickle
        at = 0
        for data in (first, *self.buffers):
            gap = _aligned(at) - at
            if gap:
                yield bytes(gap)
            at += gap + len(data)
            view = memoryview(data)
            for start in range(0, len(view), size_max):
                yield view[start : start + size_max]

    def settled(self) -> "Spread":
        """The same with copies of all that might change."""
        return Spread(self.pickle, [data if isinstance(data, bytes) else copied(data) for data in self.buffers])


def _padded(data: bytes) -> bytes:
    return data.ljust(_aligned(len(data)), b"\0")


def split(pieces: Sequence[bytes | bytearray | memoryview]) -> tuple[bytes, list[bytes | memoryview]]:
    """What a pickler has written, as one pickle and the buffers outside of it.

    Views are outside already. A large `bytes` comes right behind the opcode that announces it, which becomes the one
    for a buffer; not so where the pieces are small in all, for then a copy costs less.
    """
    texts: list[bytes | bytearray] = []
    outside: list[bytes | memoryview] = []
    are_large = sum(map(len, pieces)) > CHUNK_BYTES
    for piece in pieces:
        if isinstance(piece, memoryview):
            outside.append(piece)
        elif are_large and isinstance(piece, bytes) and len(piece) >= OUT_OF_BAND_BYTES_MIN and texts:
            opcode = _opcode_before(piece, texts[-1])
            if opcode:
                texts[-1] = texts[-1][: -len(opcode)] + _NEXT_BUFFER
                outside.append(piece)
            else:
                texts.append(piece)
        else:
            texts.append(piece)
    return b"".join(texts), outside


def _opcode_before(piece: bytes, text: bytes | bytearray) -> bytes:
    """The opcode at the end of ``text`` that announces ``piece``; empty if it does not. (A number at the end might look
    like it, if a frame of pickle of just this length followed.)"""
    size = len(piece)
    opcode = b"B" + struct.pack("<I", size) if size < 1 << 32 else b"\x8e" + struct.pack("<Q", size)
    is_frame = piece.startswith(b"\x95") and size - _FRAME.unpack_from(piece)[1] in _AROUND_A_FRAME
    return opcode if text.endswith(opcode) and not is_frame else b""


def join(pickle: bytes, outside: Sequence[bytes | memoryview], store: Store | None = None) -> bytes:
    """The part of a value: itself copied if it is small, else what might change, into the ``store`` if that has
    room."""
    if not outside:
        return pickle
    part = Spread(pickle, outside)
    if len(part) <= CHUNK_BYTES:
        return bytes(part)
    if all(isinstance(data, bytes) for data in outside):
        return part
    return (store and store.put(part, is_kept=True)) or part.settled()


def own_buffers(part: bytes) -> tuple[bytes | memoryview, list[bytes | memoryview]]:
    """Pickle and buffers of a part, the buffers for the taker to keep and to change. Raises `ProtocolError`,
    `OSError`."""
    if isinstance(part, Spread):
        return part.pickle, [data if isinstance(data, bytes) else copied(data) for data in part.buffers]
    if isinstance(part, Shared):
        return _own_shared(part)
    view = memoryview(part)
    if view[: len(MAGIC)] != MAGIC:
        return part, []
    (start, size, _), *others = read_head(view, len(view))
    contents = [(view[at : at + length], is_bytes) for at, length, is_bytes in others]
    return view[start : start + size], [bytes(data) if is_bytes else copied(data) for data, is_bytes in contents]


def _own_shared(part: Shared) -> tuple[bytes | memoryview, list[bytes | memoryview]]:
    """What is to be `bytes` is copied, all else mapped."""
    head = part.read(0, min(len(part), _HEAD_BYTES))
    if not head.startswith(MAGIC):
        return part.map(), []
    if len(head) >= _COUNT.size and (size := _COUNT.size + _NUMBER_BYTES * _COUNT.unpack_from(head)[1]) > len(head):
        head = part.read(0, min(size, len(part)))
    (start, size, _), *others = read_head(head, len(part))
    memory = part.map() if Shared.has_room() and not all(is_bytes for _, _, is_bytes in others) else None
    buffers: list[bytes | memoryview] = []
    for at, length, is_bytes in others:
        if is_bytes:
            buffers.append(part.read(at, length))
        elif memory is not None:
            buffers.append(memory[at : at + length])
        else:
            room = empty_memory(length)
            read_into(part.fileno(), room, at)
            buffers.append(room)
    return head[start : start + size] if start + size <= len(head) else part.read(start, size), buffers
