"""Bytes that have arrived and wait for the rest; and, among large ones, parts in shared memory, which stay whole.

Large reads are kept as they are and joined once, when they are complete. Small ones, and slices that would pin a read
many times their size, are gathered in a bytearray: what a pile takes in memory is a small multiple of what it holds,
however the peer cuts its bytes.
"""

from collections import deque

from triort._model.errors import ProtocolError
from triort._wire.memory import joined
from triort._wire.shared import Shared

_KEEP_BYTES_MIN = 16 << 10
_KEEP_SHARE = 4


class Pile:
    """A queue of bytes; ``size`` is how many there are."""

    __slots__ = ("_items", "size")

    def __init__(self) -> None:
        self._items: deque[memoryview | bytearray | Shared] = deque()
        self.size = 0

    def add(self, data: bytes, start: int, stop: int) -> None:
        """Append ``data[start:stop]``."""
        length = stop - start
        self.size += length
        view = memoryview(data)[start:stop]
        if length >= _KEEP_BYTES_MIN and length * _KEEP_SHARE >= len(data):
            self._items.append(view)
            return
        last = self._items[-1] if self._items else None
        if isinstance(last, bytearray):
            last += view
        else:
            self._items.append(bytearray(view))

    def add_shared(self, part: Shared) -> None:
        """Append a part in shared memory."""
        self.size += len(part)
        self._items.append(part)

    def take(self, length: int) -> bytes:
        """Remove the first ``length`` bytes; there must be as many. Raises `ProtocolError` if that is more or less than
        a part in shared memory."""
        self.size -= length
        wanted = length
        taken: list[memoryview | bytearray] = []
        while length:
            item = self._items.popleft()
            if isinstance(item, Shared):
                if taken or len(item) != length:
                    raise ProtocolError(f"{wanted} bytes taken, not the {len(item)} that are lent")
                return item
            if len(item) > length:
                view = memoryview(item)
                self._items.appendleft(view[length:])
                item = view[:length]
            taken.append(item)
            length -= len(item)
        return joined(taken, wanted)
