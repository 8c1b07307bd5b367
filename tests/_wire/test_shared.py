"""Shared memory: used again only when nobody sees it any more, refused where it is not safe, and bounded."""

import fcntl
import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from triort._model.errors import ProtocolError
from triort._model.limits import CHUNK_BYTES, SEGMENTS_BYTES_MAX, SEGMENTS_MAX
from triort._wire import shared
from triort._wire.shared import Shared, Store

DATA = os.urandom(CHUNK_BYTES)


def memory_descriptors() -> list[str]:
    """The descriptors of shared parts that this process has."""
    links = (f"/proc/self/fd/{entry.name}" for entry in Path("/proc/self/fd").iterdir())
    return [link for link in links if os.path.lexists(link) and "triort-part" in os.readlink(link)]


@pytest.fixture(autouse=True)
def nothing_is_held_afterwards() -> Iterator[None]:
    before = len(Shared.held), len(memory_descriptors())
    yield
    gc.collect()
    assert (len(Shared.held), len(memory_descriptors())) == before


def put(store: Store, data: bytes = DATA) -> Shared:
    part = store.put(data)
    assert part is not None
    return part


def segment_of(part: Shared) -> int:
    return os.fstat(part.fileno()).st_ino


def received(part: Shared, size: int) -> Shared:
    """As who is lent it has it."""
    lent = Shared(os.dup(part.fileno()), 0)
    lent.verify(size)
    return lent


# -- again and again ---------------------------------------------------------------------------------------------


def test_a_segment_is_used_again_once_its_part_is_gone() -> None:
    store = Store()
    first = put(store)
    segment = segment_of(first)
    second = put(store, DATA[::-1])
    assert segment_of(second) != segment
    assert bytes(first) == DATA
    del first
    third = put(store, b"x" * CHUNK_BYTES)
    assert segment_of(third) == segment
    assert bytes(second) == DATA[::-1]


def test_a_segment_is_not_used_again_while_anybody_has_it() -> None:
    store = Store()
    part = put(store)
    segment = segment_of(part)
    lent = received(part, len(DATA))
    del part
    assert segment_of(put(store)) != segment
    memory = lent.map()
    del lent
    assert segment_of(put(store)) != segment
    view = memory[10:20]
    del memory
    assert segment_of(put(store)) != segment
    assert view == DATA[10:20]
    del view
    assert segment in {segment_of(put(store)), segment_of(put(store))}


def test_a_segment_is_not_used_again_while_a_forked_process_has_it_mapped() -> None:
    store = Store()
    part = put(store)
    segment = segment_of(part)
    memory = part.map()
    gate_out, gate_in = os.pipe()
    child = os.fork()
    if not child:
        os.close(gate_in)
        os.read(gate_out, 1)
        os._exit(0 if memory == DATA else 1)
    os.close(gate_out)
    del part, memory
    assert segment_of(put(store)) != segment
    os.close(gate_in)
    assert os.waitpid(child, 0)[1] == 0
    assert segment in {segment_of(put(store)), segment_of(put(store))}


def test_a_small_part_does_not_take_a_large_segment() -> None:
    store = Store()
    large = put(store, bytes(20 * CHUNK_BYTES))
    segment = segment_of(large)
    del large
    assert segment_of(put(store)) != segment
    assert segment_of(put(store, bytes(10 * CHUNK_BYTES))) == segment


def test_what_is_written_to_a_mapping_stays_there() -> None:
    store = Store()
    part = put(store)
    memory = part.map()
    memory[:5] = b"hello"
    assert bytes(memory[:5]) == b"hello"
    assert bytes(part) == DATA
    assert part.map() == DATA


def test_pieces_are_the_whole() -> None:
    part = put(Store(), DATA + b"end")
    assert [len(piece) for piece in part.pieces(CHUNK_BYTES // 2)] == [CHUNK_BYTES // 2] * 2 + [3]
    assert b"".join(part.pieces(1000)) == DATA + b"end"


def test_who_is_lent_a_part_cannot_write_to_it() -> None:
    part = put(Store())
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.pwrite(part.fileno(), b"x", 0)
    with pytest.raises(OSError, match=r"Invalid argument|not permitted"):
        os.ftruncate(part.fileno(), 0)


# -- bounds ------------------------------------------------------------------------------------------------------


def test_a_store_keeps_so_many_segments_and_no_more() -> None:
    store = Store()
    parts = [put(store) for _ in range(SEGMENTS_MAX + 3)]
    assert store.put(DATA, is_kept=True) is None
    del parts
    assert len(memory_descriptors()) == SEGMENTS_MAX
    assert store.put(DATA, is_kept=True) is not None


def test_a_store_keeps_so_many_bytes_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "SEGMENTS_BYTES_MAX", 8 * CHUNK_BYTES)
    store = Store()
    parts = [put(store, bytes(3 * CHUNK_BYTES)) for _ in range(4)]
    del parts
    assert len(memory_descriptors()) == 2
    put(store, bytes(7 * CHUNK_BYTES))  # they make room for it
    assert len(memory_descriptors()) == 1
    assert store.put(bytes(9 * CHUNK_BYTES), is_kept=True) is None
    put(store, bytes(9 * CHUNK_BYTES))  # and not for what would not be kept
    assert len(memory_descriptors()) == 1
    assert SEGMENTS_BYTES_MAX > 64 << 20


def test_many_small_parts_do_not_push_out_a_large_segment() -> None:
    store = Store()
    large = put(store, bytes(20 * CHUNK_BYTES))
    segment = segment_of(large)
    del large
    parts = [put(store) for _ in range(SEGMENTS_MAX + 5)]
    assert segment_of(put(store, bytes(20 * CHUNK_BYTES))) == segment
    del parts


def test_without_room_for_descriptors_nothing_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "SHARED_MAX", 2)
    store = Store()
    first, second = put(store), put(store)
    assert store.put(DATA) is None
    del first
    assert store.put(DATA) is not None
    del second


@pytest.mark.parametrize("call", ["memfd_create", "ftruncate", "open", "pwrite"])
def test_where_the_system_refuses_nothing_is_shared_and_nothing_left(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> int:
        raise OSError(12, "no memory")

    store = Store()
    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        assert store.put(DATA) is None
    assert memory_descriptors() == []
    assert bytes(put(store)) == DATA


def test_where_there_is_no_such_memory_nothing_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    assert Store().put(DATA) is None


def test_a_cleared_store_keeps_nothing_and_what_is_lent_stays() -> None:
    store = Store()
    part = put(store)
    put(store, bytes(5 * CHUNK_BYTES))
    store.clear()
    assert len(memory_descriptors()) == 1
    assert bytes(part) == DATA


# -- what a peer may lend ----------------------------------------------------------------------------------------


def made(seals: int, size: int = CHUNK_BYTES) -> int:
    fd = os.memfd_create("triort-part", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def test_what_is_sealed_and_large_enough_is_taken() -> None:
    part = Shared(made(fcntl.F_SEAL_SHRINK), 0)
    part.verify(CHUNK_BYTES - 1)
    assert bytes(part) == bytes(CHUNK_BYTES - 1)


def test_what_could_be_shortened_is_refused() -> None:
    with pytest.raises(ProtocolError, match="sealed"):
        Shared(made(fcntl.F_SEAL_GROW), 0).verify(CHUNK_BYTES)


def test_what_is_shorter_than_announced_is_refused() -> None:
    with pytest.raises(ProtocolError, match="has 1048576 bytes where 1048577 were announced"):
        Shared(made(fcntl.F_SEAL_SHRINK), 0).verify(CHUNK_BYTES + 1)


def test_what_cannot_be_read_is_refused() -> None:
    fd = made(fcntl.F_SEAL_SHRINK)
    part = Shared(os.open(f"/proc/self/fd/{fd}", os.O_WRONLY), 0)
    os.close(fd)
    with pytest.raises(ProtocolError, match="cannot be read"):
        part.verify(CHUNK_BYTES)


def test_what_is_no_memory_is_refused() -> None:
    read, write = os.pipe()
    with tempfile.TemporaryFile() as file:
        file.write(DATA)
        file.flush()
        for fd in (os.dup(file.fileno()), os.open("/", os.O_RDONLY), os.open("/dev/zero", os.O_RDONLY), read, write):
            with pytest.raises(ProtocolError, match="lent"):
                Shared(fd, 0).verify(10)
