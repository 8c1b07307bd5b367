"""What users have pickled, as it travels: opaque *parts*.

A small part is a `bytes`. A large one may be a `Large` instead: several buffers that lie where they are, or shared
memory. Who routes parts needs nothing of them but their length; so the type checker takes a `Large` for a `bytes`, too,
and only those who look inside have to ask which it is.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    _Opaque = bytes
else:
    _Opaque = object


class Large(_Opaque):
    """A part whose bytes are not in one piece, or not in this process's memory. Its content does not change."""

    __slots__ = ()

    def __len__(self) -> int:
        raise NotImplementedError

    def __bytes__(self) -> bytes:
        """All of it, copied."""
        return b"".join(self.pieces(len(self)))

    def pieces(self, size_max: int) -> Iterator[bytes | memoryview]:
        """All of it, in order, in pieces of at most so many bytes."""
        raise NotImplementedError
