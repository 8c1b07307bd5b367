"""Large parts in shared memory: written once, lent to other processes of this host, and mapped by who wants them.

A *segment* is memory behind a file descriptor (memfd). Its maker writes a part into it and *lends* it: another
descriptor of the same memory, for reading only, goes over a Unix socket, and from there on to others, without a copy.
Who loads the value maps the memory privately: what he changes is his own, and others, such as the owner of a task who
may have to submit it again, see it as it was.

**When a segment is free again.** Fresh pages cost more than what is written into them. So a maker keeps a few segments,
and writes into one again when nobody can see it any more. The kernel knows when: the descriptor that is lent carries
a shared lock (flock), which goes when its last copy is closed and its last mapping is gone, in whichever process,
also by a crash; and while it is on its way it is not closed. So the segment is free when the maker gets the exclusive
lock. No message tells of it, and none can be lost.

**Trust.** A segment is sealed against being shortened, or who has mapped it could be killed by who has lent it. The
seal and the size are checked. What is in it is worth as much as what comes over the link otherwise.

**Bounds.** A maker keeps `SEGMENTS_MAX` segments and `SEGMENTS_BYTES_MAX` of memory; what is beyond them is used once.
A process holds `SHARED_MAX` shared parts; what is beyond them is copied. Nothing depends on a part being shared: where
there is no such memory, or no descriptor left, it travels as all others do.
"""

import fcntl
import mmap
import os
import resource
import stat
import weakref
from collections.abc import Iterator
from typing import ClassVar

from triort._model.errors import ProtocolError
from triort._model.limits import SEGMENT_EXCESS_MAX, SEGMENTS_BYTES_MAX, SEGMENTS_MAX, SHARED_MAX
from triort._model.parts import Large
from triort._wire.memory import read_bytes

_POPULATE = getattr(mmap, "MAP_POPULATE", 0)
_STEP_BYTES_MIN = 64 << 10
_WRITE_BYTES_MAX = 1 << 30


class Shared(Large):
    """A part in shared memory; it owns the descriptor ``fd``. Made by `Store.put`, or of what a peer has lent."""

    __slots__ = ("_fd", "_size")
    held: ClassVar[set[object]] = set()
    """The descriptors and mappings of shared parts that there are in this process."""

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self._size = size
        Shared.held.add(fd)

    def __del__(self) -> None:
        Shared.held.discard(self._fd)
        os.close(self._fd)

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return self.read(0, self._size)

    def fileno(self) -> int:
        """The descriptor, to be lent."""
        return self._fd

    @classmethod
    def has_room(cls) -> bool:
        """Whether this process should hold one more."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return len(cls.held) < SHARED_MAX and (soft == resource.RLIM_INFINITY or 4 * len(cls.held) < soft)

    def verify(self, size: int) -> None:
        """A peer says that a part of this size lies here; raises `ProtocolError` if it cannot be read in safety."""
        try:
            seals = fcntl.fcntl(self._fd, fcntl.F_GET_SEALS)
            status = os.fstat(self._fd)
            is_readable = fcntl.fcntl(self._fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_WRONLY
        except (OSError, AttributeError):
            raise ProtocolError("a lent descriptor is not one of shared memory") from None
        if not (seals & fcntl.F_SEAL_SHRINK and stat.S_ISREG(status.st_mode) and is_readable):
            raise ProtocolError("lent memory is not sealed against being shortened, or cannot be read")
        if status.st_size < size:
            raise ProtocolError(f"lent memory has {status.st_size} bytes where {size} were announced")
        self._size = size

    def read(self, start: int, size: int) -> bytes:
        """A copy of some of it; raises `OSError`."""
        return read_bytes(self._fd, start, size)

    def pieces(self, size_max: int) -> Iterator[bytes]:
        """All of it, read piece by piece."""
        for start in range(0, self._size, size_max):
            yield self.read(start, min(size_max, self._size - start))

    def map(self) -> memoryview:
        """All of it, as memory that may be written to without anybody else seeing it. It stays mapped as long as there
        is a view of it, longer than this object if need be. Raises `OSError`."""
        memory = mmap.mmap(self._fd, self._size, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
        key = object()
        Shared.held.add(key)
        weakref.finalize(memory, Shared.held.discard, key).atexit = False
        return memoryview(memory)


class _Segment:
    """Memory that this process has made, with the descriptor by which it writes there. From its second use on it is
    mapped: that takes the time of a copy once, and then a copy takes a third of it."""

    __slots__ = ("_is_used", "_memory", "fd", "size")

    def __init__(self, size: int) -> None:
        self._is_used = False
        self._memory: memoryview | None = None
        self.size = size
        self.fd = os.memfd_create("triort-part", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, size)
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)

    def __del__(self) -> None:
        if hasattr(self, "fd"):
            os.close(self.fd)

    def lock(self) -> bool:
        """Whether nobody else can see it; then nobody will until it is lent."""
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def lend(self, part: bytes) -> Shared:
        """Write a part into it, which must be locked, and lend it; raises `OSError`."""
        shared = Shared(os.open(f"/proc/self/fd/{self.fd}", os.O_RDONLY | os.O_CLOEXEC), len(part))
        if self._is_used and self._memory is None:
            self._memory = memoryview(mmap.mmap(self.fd, self.size, mmap.MAP_SHARED | _POPULATE))
        self._is_used = True
        at = 0
        for piece in part.pieces(_WRITE_BYTES_MAX) if isinstance(part, Large) else (part,):
            self._write(piece, at)
            at += len(piece)
        fcntl.flock(self.fd, fcntl.LOCK_UN)
        fcntl.flock(shared.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
        return shared

    def _write(self, piece: bytes | memoryview, at: int) -> None:
        if self._memory is not None:
            self._memory[at : at + len(piece)] = piece
            return
        view = memoryview(piece)
        while view:
            count = os.pwrite(self.fd, view, at)
            at, view = at + count, view[count:]


class Store:
    """The segments of one process. They go with it; what is lent stays as long as anybody has it."""

    def __init__(self) -> None:
        self._segments: list[_Segment] = []
        self._is_able = hasattr(os, "memfd_create") and hasattr(fcntl, "F_ADD_SEALS")

    def put(self, part: bytes, *, is_kept: bool = False) -> Shared | None:
        """Write a part into a segment, one that is used again if possible (or, with ``is_kept``, only then). None if
        there is no room; takes the time of a copy."""
        size = len(part)
        if not self._is_able or not Shared.has_room():
            return None
        segment = self._take_free(size)
        try:
            if segment is None:
                new_size = _rounded(size)
                keeps = self._make_room(new_size)
                if is_kept and not keeps:
                    return None
                segment = _Segment(new_size)
                segment.lock()
            else:
                keeps = True
            shared = segment.lend(part)
        except OSError:  # there is no memory or no descriptor left: the part stays where it is
            return None
        if keeps:
            self._segments.append(segment)
        return shared

    def lend(self, part: bytes) -> Shared | None:
        """The part itself if it is shared, else as `put`."""
        return part if isinstance(part, Shared) else self.put(part)

    def clear(self) -> None:
        """Keep nothing any more."""
        self._segments.clear()

    def _take_free(self, size: int) -> _Segment | None:
        """The smallest free segment that is large enough, and not much too large."""
        for segment in sorted(self._segments, key=lambda each: each.size):
            if size <= segment.size <= SEGMENT_EXCESS_MAX * size and segment.lock():
                self._segments.remove(segment)
                return segment
        return None

    def _make_room(self, size: int) -> bool:
        """Give up smaller free segments for one of this size; whether it may be kept. (Not larger ones: what a large
        one saves next time is more than many small ones do, and they would push it out.)"""
        if size > SEGMENTS_BYTES_MAX:
            return False
        for segment in sorted(self._segments, key=lambda each: each.size):
            if self._may_keep(size) or segment.size > size:
                break
            if segment.lock():
                self._segments.remove(segment)
        return self._may_keep(size)

    def _may_keep(self, size: int) -> bool:
        kept = self._segments
        return len(kept) < SEGMENTS_MAX and sum(each.size for each in kept) + size <= SEGMENTS_BYTES_MAX


def _rounded(size: int) -> int:
    """A little more, so that the next part of about this size fits, too; what is not written takes no memory."""
    step = max(_STEP_BYTES_MIN, 1 << max(size.bit_length() - 4, 0))
    return -(-size // step) * step
