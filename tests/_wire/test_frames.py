"""Frames: every message survives, however it is cut."""

import struct
from collections.abc import Iterator
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests._wire.every_message import EVERY_MESSAGE, submit, talk
from triort._model import messages as m
from triort._model.errors import ProtocolError
from triort._model.ids import Address, JobId
from triort._model.limits import (
    CHUNK_BYTES,
    FRAME_BYTES_MAX,
    FRAME_HEADER_BYTES_MAX,
    INLINE_BYTES_MAX,
    MESSAGES_PER_FRAME_MAX,
    PARTS_PER_MESSAGE_MAX,
    PAYLOAD_BYTES_MAX,
)
from triort._wire import parser as parser_module
from triort._wire.frames import FrameParser, encode


def wire(*messages: m.Received) -> bytes:
    return b"".join(encode(messages))


def raw(*messages: m.Message, payload: bytes = b"") -> bytes:
    """A frame without any check."""
    header = msgspec.msgpack.encode(list(messages))
    return struct.pack("<II", 4 + len(header) + len(payload), len(header)) + header + payload


def feed_all(data: bytes, step: int) -> tuple[list[m.Received], str | None]:
    parser, received = FrameParser(), []
    try:
        for at in range(0, len(data), step):
            received += parser.feed(data[at : at + step])
    except ProtocolError:
        pass
    return received, parser.fault


def assert_refused(data: bytes, match: str) -> None:
    parser = FrameParser()
    with pytest.raises(ProtocolError, match=match):
        parser.feed(data)
    with pytest.raises(ProtocolError, match=match):
        parser.feed(b"")


def frames_of(data: bytes) -> Iterator[tuple[list[list[object]], int]]:
    at = 0
    while at < len(data):
        frame_len, header_len = struct.unpack_from("<II", data, at)
        yield msgspec.msgpack.decode(data[at + 8 : at + 8 + header_len]), frame_len
        at += 4 + frame_len


# -- round trips -------------------------------------------------------------------------------------------------


def test_every_message_is_among_those_tested() -> None:
    kinds = set(get_args(m.AnyMessage))
    assert {type(message) for message, _ in EVERY_MESSAGE} == kinds - {m.Chunk, m.Loan}
    with_parts = {kind for kind in kinds if {"size", "sizes"} & set(kind.__struct_fields__)}
    assert {type(message) for message, parts in EVERY_MESSAGE if parts} == with_parts - {m.Chunk, m.Loan}


def test_every_message_survives_in_one_frame() -> None:
    data = wire(*EVERY_MESSAGE)
    assert len(list(frames_of(data))) == 1
    assert FrameParser().feed(data) == EVERY_MESSAGE


def test_every_message_survives_byte_by_byte() -> None:
    assert feed_all(wire(*EVERY_MESSAGE), 1) == (EVERY_MESSAGE, None)


@given(st.lists(st.lists(st.binary(max_size=40), max_size=8), min_size=1, max_size=6), st.integers(1, 300))
def test_any_parts_survive_however_they_are_cut(batches: list[list[bytes]], step: int) -> None:
    messages = [submit(*parts) for parts in batches]
    assert feed_all(wire(*messages), step) == (messages, None)


@given(st.lists(st.integers(0, 3 * CHUNK_BYTES), min_size=1, max_size=4), st.integers(1_000, 2_000_000))
@settings(max_examples=25, deadline=None)
def test_large_parts_survive_however_they_are_cut(lengths: list[int], step: int) -> None:
    messages = [submit(*(bytes([i]) * n for i, n in enumerate(lengths))), talk(b"x" * lengths[0])]
    assert feed_all(wire(*messages), step) == (messages, None)


def test_a_memoryview_can_be_fed() -> None:
    assert FrameParser().feed(memoryview(bytearray(wire(talk(b"x"))))) == [talk(b"x")]


def test_parts_are_bytes_even_when_they_came_in_pieces() -> None:
    [(_, parts)] = FrameParser().feed(wire(submit(b"a", b"b" * (CHUNK_BYTES + 1))))
    assert [type(part) for part in parts] == [bytes, bytes]


# -- pieces ------------------------------------------------------------------------------------------------------


def test_a_part_of_a_chunk_stays_in_its_frame_and_a_longer_one_goes_ahead() -> None:
    assert [header for header, _ in frames_of(wire(talk(b"x" * CHUNK_BYTES)))] == [[[16, 5, CHUNK_BYTES]]]
    headers = [header for header, _ in frames_of(wire(talk(b"x" * (CHUNK_BYTES + 1))))]
    assert headers == [[[60, CHUNK_BYTES]], [[60, 1]], [[16, 5, -CHUNK_BYTES - 1]]]


def test_many_parts_that_are_too_much_for_a_frame_go_ahead() -> None:
    message = submit(*[b"x" * (CHUNK_BYTES // 2)] * (2 * INLINE_BYTES_MAX // CHUNK_BYTES), b"", b"y")
    data = wire(message)
    assert all(frame_len < 2 * CHUNK_BYTES for _, frame_len in frames_of(data))
    assert FrameParser().feed(data) == [message]


def test_large_parts_are_not_copied_to_be_sent() -> None:
    part = b"x" * (2 * CHUNK_BYTES)
    views = [buffer for buffer in encode([talk(part)]) if isinstance(buffer, memoryview)]
    assert [view.obj is part for view in views] == [True, True]


def test_messages_between_the_pieces_do_not_disturb_them() -> None:
    large = talk(b"x" * (2 * CHUNK_BYTES))
    first, second, last = (raw_frame for raw_frame in _cut(wire(large)))
    want: m.Received = (m.Want(3), [])
    assert FrameParser().feed(first + wire(want, talk(b"small")) + second + wire(want) + last) == [
        want, talk(b"small"), want, large,
    ]  # fmt: skip


def _cut(data: bytes) -> Iterator[bytes]:
    at = 0
    for _, frame_len in frames_of(data):
        yield data[at : at + 4 + frame_len]
        at += 4 + frame_len


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (raw(m.Talk(Address(1), -5)), "5 bytes taken from pieces of 0"),
        (raw(m.Chunk(4), payload=b"abcd") + raw(m.Talk(Address(1), -3)), "3 bytes taken from pieces of 4"),
        (raw(m.Chunk(4), payload=b"abcd") + raw(m.Talk(Address(1), -5)), "5 bytes taken from pieces of 4"),
        (raw(m.Chunk(0)), "a size out of range"),
        (raw(m.Chunk(-1)), "a size out of range"),
        (raw(m.Chunk(CHUNK_BYTES + 1), payload=b"x"), "a size out of range"),
        (raw(m.Chunk(1), m.Shutdown(), payload=b"x"), "not alone"),
        (raw(m.Talk(Address(1), -PAYLOAD_BYTES_MAX - 1)), "bytes"),
    ],
)
def test_pieces_that_do_not_fit_are_refused(data: bytes, match: str) -> None:
    parser = FrameParser()
    with pytest.raises(ProtocolError, match=match):
        parser.feed(data)


def test_pieces_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser_module, "PAYLOAD_BYTES_MAX", 7)
    assert_refused(raw(m.Chunk(4), payload=b"abcd") * 2, "pieces of more than 7 bytes")


# -- our own bugs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        (m.Talk(Address(1), 2), [b"x"]),
        (m.Talk(Address(1), 0), []),
        (m.Want(1), [b"x"]),
        (m.Chunk(1), [b"x"]),
        submit(*[b""] * (PARTS_PER_MESSAGE_MAX + 1)),
        (m.Print(JobId(1), "stdout", "x" * FRAME_HEADER_BYTES_MAX), []),
    ],
)
def test_our_own_mistakes_are_value_errors(message: m.Message, parts: list[bytes]) -> None:
    with pytest.raises(ValueError, match=type(message).__name__):
        encode([(message, parts)])


def test_a_batch_above_a_limit_becomes_several_frames() -> None:
    many: list[m.Received] = [(m.Shutdown(), [])] * (MESSAGES_PER_FRAME_MAX + 1)
    long: list[m.Received] = [(m.Print(JobId(1), "stdout", "x" * (FRAME_HEADER_BYTES_MAX // 2)), [])] * 5
    large = [submit(*[b"x" * CHUNK_BYTES] * 7)] * 20
    for messages in (many, long, large):
        data = wire(*messages)
        assert len(list(frames_of(data))) > 1
        assert all(frame_len <= FRAME_BYTES_MAX for _, frame_len in frames_of(data))
        assert FrameParser().feed(data) == messages


def test_nothing_to_send_is_no_bytes() -> None:
    assert encode([]) == []


# -- garbage -----------------------------------------------------------------------------------------------------


@given(st.binary(max_size=300))
@settings(max_examples=300)
def test_garbage_is_refused_with_protocol_error_alone(data: bytes) -> None:
    assert feed_all(data, 1) == feed_all(data, 1_000)


@given(st.binary(max_size=200), st.binary(max_size=50))
@settings(max_examples=300)
def test_garbage_in_a_well_formed_frame_is_refused_with_protocol_error_alone(header: bytes, payload: bytes) -> None:
    data = struct.pack("<II", 4 + len(header) + len(payload), len(header)) + header + payload
    assert feed_all(data, 1) == feed_all(data, 1_000)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=5), st.integers(1, 50))
@settings(max_examples=500)
def test_flipped_bytes_are_refused_with_protocol_error_alone(flips: list[tuple[int, int]], step: int) -> None:
    data = bytearray(wire(*EVERY_MESSAGE))
    for at, value in flips:
        data[at % len(data)] = value
    assert feed_all(bytes(data), step) == feed_all(bytes(data), 10_000)
