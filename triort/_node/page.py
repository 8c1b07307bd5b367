"""One page of memory that a boss and its worker share.

The worker publishes here what its boss must be able to read while the worker's only thread is busy: above all, which
task is on the CPU, so that blame for a crash goes to that task and an interrupt reaches no other. Every field is an
aligned 8-byte word; each has one writer, and a word is stored and loaded as a whole, so there is no lock. Two words
are not written together: a reader that needs a consistent ``on_cpu`` reads ``steps`` before and after it.

Its second half is a ring with the last that tasks have written to their stderr: it is there also when the worker was
killed before it could send that on.
"""

import mmap
import os
import tempfile

PAGE_BYTES = 4096
ON_CPU, STEPS, MAIL_READ, DEADLINE_NS, ROOT, UNSENT, OVER, DONE, SAID, QUEUED = range(10)
RING_START = PAGE_BYTES // 2
RING_BYTES = PAGE_BYTES - RING_START


class SharedPage:
    """The mapped page. ``words`` is the fast way in (``page.words[MAIL_READ] = n``); the properties are for reading."""

    __slots__ = ("_map", "fd", "words")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        """The file behind the page, to be handed to the worker; -1 once `drop_fd` was called."""
        self._map = mmap.mmap(fd, PAGE_BYTES)
        self.words: memoryview = memoryview(self._map).cast("Q")
        """All fields, by slot number."""

    @classmethod
    def create(cls) -> "SharedPage":
        """A new page, all zeros; its fd is not inherited by programs that this process starts."""
        fd = _open_memory()
        try:
            os.ftruncate(fd, PAGE_BYTES)
            return cls(fd)
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def from_fd(cls, fd: int) -> "SharedPage":
        """Map the page behind ``fd``, which belongs to the new object from then on."""
        return cls(fd)

    def enter(self, address: int) -> None:
        """Publish that the task ``address`` (0: none) is on the CPU from now on."""
        words = self.words
        words[ON_CPU] = address
        words[STEPS] += 1

    def say(self, text: str) -> None:
        """Keep the end of what a task has written to its stderr."""
        data = text[-RING_BYTES:].encode("utf-8", "backslashreplace")[-RING_BYTES:]
        said = self.words[SAID]
        at = said % RING_BYTES
        first, rest = data[: RING_BYTES - at], data[RING_BYTES - at :]
        self._map[RING_START + at : RING_START + at + len(first)] = first
        self._map[RING_START : RING_START + len(rest)] = rest
        self.words[SAID] = said + len(data)

    def said(self) -> bytes:
        """The end of what tasks have written to their stderr."""
        said = self.words[SAID]
        ring = self._map[RING_START:PAGE_BYTES]
        at = said % RING_BYTES
        return ring[:said] if said < RING_BYTES else ring[at:] + ring[:at]

    @property
    def on_cpu(self) -> int:
        """The address of the task that is on the CPU; 0 = none."""
        return int(self.words[ON_CPU])

    @property
    def steps(self) -> int:
        """How often ``on_cpu`` has changed."""
        return int(self.words[STEPS])

    @property
    def mail_read(self) -> int:
        """How many messages from its boss the worker has read."""
        return int(self.words[MAIL_READ])

    @property
    def deadline_ns(self) -> int:
        """When the worker's nearest deadline passes, on the monotonic clock; 0: it has none."""
        return int(self.words[DEADLINE_NS])

    def drop_fd(self) -> None:
        """Close the fd and keep the page: the mapping does not need it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def close(self) -> None:
        """Unmap the page and close its fd; a second call does nothing."""
        self.words.release()
        self._map.close()
        self.drop_fd()


def _open_memory() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("triort-page", os.MFD_CLOEXEC)
    fd, path = tempfile.mkstemp(prefix="triort-page-")
    os.unlink(path)
    return fd
