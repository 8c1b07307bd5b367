"""Frames with loans: a large part that is lent instead of sent, and every way to do that wrong."""

import gc
import os
import random
import struct
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from triort._model import messages as m
from triort._model.errors import ProtocolError
from triort._model.ids import Address, Digest, JobId
from triort._model.limits import CHUNK_BYTES, PAYLOAD_BYTES_MAX
from triort._wire import shared
from triort._wire.frames import FrameParser, encode, encode_piece, encode_weighed, split_bulk, weigh
from triort._wire.shared import Shared, Store

SPEC = m.TaskSpec(JobId(1), Digest(b"f" * 16), "f", 1, m.Options())
LARGE = os.urandom(2 * CHUNK_BYTES + 5)
STORE = Store()
Fed = list[tuple[bytes, list[Shared]]]
"""Bytes, and what comes with the first of them."""


@pytest.fixture(autouse=True)
def nothing_is_held_afterwards() -> Iterator[None]:
    yield
    STORE.clear()
    gc.collect()
    assert Shared.held == set()


def lent(data: bytes = LARGE) -> Shared:
    """As it comes to a peer."""
    part = STORE.put(data)
    assert part is not None
    return Shared(os.dup(part.fileno()), 0)


def raw(*messages: m.Message, payload: bytes = b"") -> bytes:
    """A frame without any check."""
    header = msgspec.msgpack.encode(list(messages))
    return struct.pack("<II", 4 + len(header) + len(payload), len(header)) + header + payload


def submit(*sizes: int) -> m.Submit:
    return m.Submit(0, [SPEC], [Address(i) for i in range(len(sizes))], [0] * len(sizes), list(sizes))


def whole(messages: Sequence[m.Received]) -> list[m.Received]:
    return [(message, [bytes(part) for part in parts]) for message, parts in messages]


def wire(message: m.Message, *parts: bytes) -> Fed:
    """What goes over a link that lends."""
    after, pieces = split_bulk((message, parts, weigh(message, parts)), STORE.lend)
    fed: Fed = []
    for piece in pieces:
        loans = [Shared(os.dup(piece.fileno()), 0)] if isinstance(piece, Shared) else []
        fed.append((b"".join(encode_piece(piece)), loans))
    return [*fed, (b"".join(encode_weighed([after])), [])]


def feed_all(fed: Fed, step: int = 1 << 30) -> tuple[list[m.Received], str | None]:
    """What comes of it when cut into pieces of ``step`` bytes."""
    parser, received = FrameParser(), []
    try:
        for data, loans in fed:
            for at in range(0, len(data), step):
                received += parser.feed(data[at : at + step], loans if at == 0 else ())
    except ProtocolError:
        pass
    return whole(received), parser.fault


def assert_refused(fed: Fed, match: str) -> None:
    for step in (1 << 30, 1):
        fresh = [(data, [Shared(os.dup(loan.fileno()), 0) for loan in loans]) for data, loans in fed]
        received, fault = feed_all(fresh, step)
        assert fault is not None
        assert match in fault
        assert received == []


# -- what is right -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 7, 1 << 30])
def test_large_parts_are_lent_and_small_ones_sent(step: int) -> None:
    parts = [LARGE, b"small", b"", LARGE[1:], b"x" * 100]
    message = submit(*map(len, parts))
    fed = wire(message, *parts)
    assert sum(len(data) for data, _ in fed) < 500
    assert [len(loans) for _, loans in fed] == [1, 1, 0]
    assert feed_all(fed, step) == ([(message, parts)], None)


def test_other_frames_may_come_between() -> None:
    message = submit(len(LARGE), len(LARGE))
    *loans, last = wire(message, LARGE, LARGE)
    between = (b"".join(encode([(m.Want(3), []), (m.Talk(Address(1), 2), [b"xy"])])), list[Shared]())
    assert feed_all([loans[0], between, loans[1], between, last]) == (
        [(m.Want(3), []), (m.Talk(Address(1), 2), [b"xy"])] * 2 + [(message, [LARGE, LARGE])],
        None,
    )


def test_pieces_and_loans_may_be_mixed_part_by_part() -> None:
    message = submit(-len(LARGE), -3, -len(LARGE))
    fed: Fed = [
        (raw(m.Loan(len(LARGE))), [lent()]),
        (raw(m.Chunk(3), payload=b"abc"), []),
        (raw(m.Loan(len(LARGE))), [lent()]),
        (raw(message), []),
    ]
    received, fault = feed_all(fed, 5)
    assert fault is None
    assert received[0][1] == [LARGE, b"abc", LARGE]


def test_what_is_lent_arrives_without_a_copy_if_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, kind in ((10, Shared), (1, bytes)):
        monkeypatch.setattr(shared, "SHARED_MAX", limit)
        parser = FrameParser()
        assert parser.feed(raw(m.Loan(len(LARGE))), [lent()]) == []
        assert parser.is_partial
        ((_, parts),) = parser.feed(raw(submit(-len(LARGE))))
        assert type(parts[0]) is kind
        assert bytes(parts[0]) == LARGE
        del parts


# -- what is wrong -----------------------------------------------------------------------------------------------

LOAN = raw(m.Loan(100))


def test_a_loan_needs_its_descriptor() -> None:
    assert_refused([(LOAN, [])], "without its descriptor")
    assert_refused([(LOAN + LOAN, [lent()])], "without its descriptor")


def test_a_descriptor_needs_its_loan() -> None:
    assert_refused([(raw(m.Chunk(1), payload=b"x"), [lent()])], "no frame announces")
    assert_refused([(LOAN, [lent(), lent()])], "no frame announces")
    received, fault = feed_all([(raw(m.Want(1)), [lent()])])
    assert (received, fault) == ([(m.Want(1), [])], "a loan that no frame announces")


def test_what_is_lent_has_to_be_safe() -> None:
    unsealed = os.memfd_create("triort-part")
    os.ftruncate(unsealed, 100)
    assert_refused([(LOAN, [Shared(unsealed, 0)])], "not sealed")
    read, write = os.pipe()
    os.close(write)
    assert_refused([(LOAN, [Shared(read, 0)])], "not one of shared memory")
    assert_refused([(raw(m.Loan(len(LARGE) * 2)), [lent()])], "were announced")


@pytest.mark.parametrize("size", [0, -1, PAYLOAD_BYTES_MAX + 1])
def test_a_loan_has_a_possible_size(size: int) -> None:
    assert_refused([(raw(m.Loan(size)), [lent()])], "a size out of range")


def test_a_loan_is_alone_in_its_frame() -> None:
    assert_refused([(raw(m.Loan(100), m.Want(1)), [lent()])], "alone")
    assert_refused([(raw(m.Want(1), m.Loan(100)), [lent()])], "alone")
    assert_refused([(raw(m.Loan(100), m.Loan(100)), [lent()])], "alone")
    assert_refused([(raw(m.Loan(100), m.Chunk(1), payload=b"x"), [lent()])], "alone")
    assert_refused([(raw(m.Loan(100), payload=b"x"), [lent()])], "0 bytes announced")


def test_what_is_lent_is_taken_as_a_whole_by_one_part() -> None:
    loan = (LOAN, [lent()])
    assert_refused([loan, (raw(submit(-99)), [])], "99 bytes taken from pieces of 100")
    assert_refused([loan, (raw(submit(-50, -50)), [])], "50 bytes taken, not the 100")
    assert_refused([loan, (raw(m.Chunk(1), payload=b"x"), []), (raw(submit(-101)), [])], "101 bytes taken, not the 100")
    assert_refused([(raw(m.Chunk(1), payload=b"x"), []), loan, (raw(submit(-101)), [])], "101 bytes taken, not the 100")


def test_all_pieces_together_are_bounded() -> None:
    big = raw(m.Loan(PAYLOAD_BYTES_MAX - 1))
    parser = FrameParser()
    with pytest.raises(ProtocolError, match="were announced"):
        parser.feed(big, [lent()])
    parser = FrameParser()
    parser.feed(raw(m.Chunk(2), payload=b"xx"))
    with pytest.raises(ProtocolError, match="pieces of more than"):
        parser.feed(big, [lent()])


def test_nothing_is_lent_before_the_peer_is_let_in() -> None:
    parser = FrameParser(1_000)
    with pytest.raises(ProtocolError, match="before it is let in"):
        parser.feed(LOAN, [lent()])
    parser = FrameParser(1_000)
    parser.lift_limit()
    assert parser.feed(LOAN, [lent()]) == []


@pytest.mark.parametrize("seed", range(200))
def test_whatever_comes_nothing_but_a_protocol_error_does(seed: int) -> None:
    rng = random.Random(seed)
    frames = [
        LOAN, raw(m.Loan(len(LARGE))), raw(m.Chunk(3), payload=b"abc"), raw(m.Want(1)), raw(submit(-100)),
        raw(submit(-3)), raw(submit(-100, -3)), raw(submit(-len(LARGE), 2), payload=b"ab"), b"\0", b"\x91\x92",
    ]  # fmt: skip
    parser = FrameParser()
    try:
        for _ in range(10):
            whole(parser.feed(rng.choice(frames), [lent() for _ in range(rng.choice([0, 0, 1, 1, 2]))]))
    except ProtocolError:
        assert parser.fault is not None
