"""Bytes that have arrived and wait for the rest.

Large reads are kept as they are and joined once, when they are complete. Small ones, and slices that would pin a read
many times their size, are gathered in a bytearray: what a pile takes in memory is a small multiple of what it holds,
however the peer cuts its bytes.
"""

from collections import deque

_KEEP_BYTES_MIN = 16 << 10
_KEEP_SHARE = 4


class Pile:
    """A queue of bytes; ``size`` is how many there are."""

    __slots__ = ("_items", "size")

    def __init__(self) -> None:
        self._items: deque[memoryview | bytearray] = deque()
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

    def take(self, length: int) -> bytes:
        """Remove the first ``length`` bytes; there must be as many."""
        self.size -= length
        taken: list[memoryview | bytearray] = []
        while length:
            item = self._items.popleft()
            if len(item) > length:
                view = memoryview(item)
                self._items.appendleft(view[length:])
                item = view[:length]
            taken.append(item)
            length -= len(item)
        return b"".join(taken)
