"""Memory for large values.

Most of what it costs to copy a large value into fresh memory is the price of that memory's pages: 64 MiB take 30 ms in
pages of 4 KiB, and 10 ms in pages of 2 MiB (seen). So large memory is asked for in huge pages, where the system has
any.
"""

import functools
import mmap
import os
import sys
from collections.abc import Callable, Sequence

from triort._model.limits import HUGE_BYTES_MIN

_PAGE_BYTES = mmap.PAGESIZE
_IS_CPYTHON = sys.implementation.name == "cpython"


def empty_memory(size: int) -> memoryview:
    """Writable memory of ``size`` bytes; it is there as long as anybody looks at it."""
    if size < HUGE_BYTES_MIN:
        return memoryview(bytearray(size))
    memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        try:
            memory.madvise(mmap.MADV_HUGEPAGE)
        except OSError:
            pass  # a kernel without huge pages: then in small ones
    return memoryview(memory)


def copied(data: bytes | memoryview) -> memoryview:
    """A writable copy."""
    memory = empty_memory(len(data))
    memory[:] = data
    return memory


def joined(pieces: Sequence[bytes | bytearray | memoryview], size: int) -> bytes:
    """The pieces, which have so many bytes together, as one."""
    if size < HUGE_BYTES_MIN or not _IS_CPYTHON:
        return b"".join(pieces)
    data, room = _bytes_maker()(size)
    at = 0
    for piece in pieces:
        room[at : at + len(piece)] = piece
        at += len(piece)
    return data


def read_into(fd: int, memory: memoryview, start: int) -> None:
    """Fill ``memory`` with what the file has from ``start`` on; raises `OSError`, `EOFError` if it ends too early."""
    done = 0
    while done < len(memory):
        count = os.preadv(fd, [memory[done:]], start + done)
        if not count:
            raise EOFError("shared memory is shorter than it was said to be")
        done += count


def read_bytes(fd: int, start: int, size: int) -> bytes:
    """``size`` bytes of the file from ``start`` on; raises as `read_into`."""
    if size >= HUGE_BYTES_MIN and _IS_CPYTHON:
        data, room = _bytes_maker()(size)
        read_into(fd, room, start)
        return data
    data = os.pread(fd, size, start)
    if len(data) < size:
        raise EOFError("shared memory is shorter than it was said to be")
    return data


@functools.cache
def _bytes_maker() -> Callable[[int], tuple[bytes, memoryview]]:
    """What makes a bytes object and lets it be filled before anybody else sees it. That is how the C API has it, and
    the only way to tell the system in time that the pages of one are to be huge."""
    import ctypes

    api, system = ctypes.pythonapi, ctypes.CDLL(None)
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t)(("PyBytes_FromStringAndSize", api))
    locate = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)(("PyBytes_AsString", api))

    def make_bytes(size: int) -> tuple[bytes, memoryview]:
        data: bytes = make(None, size)
        address: int = locate(data)
        start = -(-address // _PAGE_BYTES) * _PAGE_BYTES
        length = (address + size - start) // _PAGE_BYTES * _PAGE_BYTES
        if hasattr(mmap, "MADV_HUGEPAGE"):  # if the system cannot, it says so, and nothing has changed
            system.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), mmap.MADV_HUGEPAGE)
        return data, memoryview((ctypes.c_char * size).from_address(address)).cast("B")

    return make_bytes
