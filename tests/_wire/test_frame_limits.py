"""Frames: every limit holds, and nothing but ProtocolError comes out."""

import struct
import tracemalloc
from typing import cast

import msgspec
import pytest

from tests._wire.every_message import SPEC, submit, talk
from triort._model import messages as m
from triort._model.errors import ProtocolError
from triort._model.ids import Address, JobId
from triort._model.limits import (
    FRAME_BYTES_MAX,
    FRAME_HEADER_BYTES_MAX,
    MESSAGES_PER_FRAME_MAX,
    PARTS_PER_MESSAGE_MAX,
    STATUS_DEPTH_MAX,
)
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


# -- limits ------------------------------------------------------------------------------------------------------


def _nested(depth: int) -> m.NodeStatus:
    status = m.NodeStatus("n", "k", 1, 1, 1, 1, 1)
    for _ in range(depth - 1):
        status = m.NodeStatus("n", "k", 1, 1, 1, 1, 1, employees=[status])
    return status


def _deep_header(depth: int) -> bytes:
    """A StatusReply with endless employees, as bytes; deeper than an encoder would go."""
    level = b"\x9a\xa1n\xa1k\x01\x01\x01\x01\x01\xa0\x00\x91"
    header = b"\x91\x93\x33\x01" + level * depth + b"\x97\xa1n\xa1k\x01\x01\x01\x01\x01"
    return struct.pack("<II", 4 + len(header), len(header)) + header


def _tasks(**changes: object) -> m.Submit:
    return cast(m.Submit, msgspec.structs.replace(submit(b"", b"")[0], **changes))


BAD = [
    (struct.pack("<II", FRAME_BYTES_MAX + 1, 1), "a frame of"),
    (struct.pack("<II", FRAME_BYTES_MAX, FRAME_HEADER_BYTES_MAX + 1), "a header of"),
    (struct.pack("<II", 0, 0), "a frame of 0"),
    (struct.pack("<II", 3, 0), "a frame of 3"),
    (struct.pack("<II", 10, 7), "a header of 7"),
    (struct.pack("<II", 4, 0), "unreadable"),
    (struct.pack("<II", 5, 1) + b"\xc1", "unreadable"),
    (struct.pack("<II", 5, 1) + b"\x90", "a frame of 0 messages"),
    (struct.pack("<II", 8, 4) + b"\x91\x92\x63\x01", "unreadable"),
    (struct.pack("<II", 9, 5) + b"\x91\x92\x03\xa1\xff", "unreadable"),
    (_deep_header(20_000), "unreadable"),
    (raw(*[m.Shutdown()] * (MESSAGES_PER_FRAME_MAX + 1)), "messages"),
    (raw(m.Shutdown(), payload=b"x"), "0 bytes announced in a payload of 1"),
    (raw(m.Talk(Address(1), 2), payload=b"x"), "2 bytes announced in a payload of 1"),
    (raw(m.Talk(Address(1), 2**63), payload=b"x"), "bytes announced"),
    (raw(m.StatusReply(1, _nested(STATUS_DEPTH_MAX + 1))), "levels"),
    (raw(m.SubmitJob(1, SPEC, 0, True, [0] * (PARTS_PER_MESSAGE_MAX + 1))), "parts"),
    (raw(_tasks(addresses=[Address(1)])), "unequal"),
    (raw(_tasks(spec_of=[0])), "unequal"),
    (raw(_tasks(sizes=[0])), "unequal"),
    (raw(_tasks(spec_of=[0, 1])), "spec"),
    (raw(_tasks(spec_of=[0, -1])), "spec"),
    (raw(_tasks(addresses=[1, -1])), "id"),
    (raw(_tasks(addresses=[1, 2**63])), "id"),
    (raw(_tasks(seconds_left={2: 1.0})), "deadline"),
    (raw(_tasks(seconds_left={0: float("nan")})), "deadline"),
    (raw(m.Returned(1, [SPEC], [Address(1)], [], [0])), "unequal"),
    (raw(m.Outcomes(1, [Address(1)], [0], [], [0])), "unequal"),
    (raw(m.Outcomes(1, [Address(1)], [], [0], [0])), "unequal"),
    (raw(m.Outcomes(1, [Address(1)], [5], [0], [0])), "kind"),
    (raw(m.Outcomes(1, [Address(1)], [0], [-1], [0])), "duration"),
    (raw(m.Lost([Address(1)], [], [0])), "unequal"),
    (raw(m.Lost([Address(1)], [False], [0], [1])), "index of a task"),
    (raw(m.Blobs(JobId(1), [], [0])), "unequal"),
    (raw(m.JobOutcomes(JobId(1), [0], [0], [])), "unequal"),
    (raw(m.JobOutcomes(JobId(1), [-1], [0], [0])), "id"),
    (raw(m.SubmitJob(1, SPEC, 2, True, [0])), "blobs"),
    (raw(m.Cancel([Address(2**63)])), "id"),
    (raw(m.Talk(Address(-1), 0)), "id"),
    (raw(m.Hello(1, "", "", "", "", "", 5, 4)), "range"),
    (raw(m.Welcome(1, "", "", "", "", -1)), "id"),
    (raw(m.Started(-1, "", 1)), "negative"),
]


@pytest.mark.parametrize(("data", "match"), BAD)
def test_what_is_beyond_a_limit_is_refused_for_good(data: bytes, match: str) -> None:
    assert_refused(data, match)


@pytest.mark.parametrize("data", [data for data, _ in BAD if len(data) < 10_000])
def test_a_fault_is_the_same_byte_by_byte(data: bytes) -> None:
    good = wire(talk(b"x"))
    assert feed_all(good + data, 1) == feed_all(good + data, 1_000_000)
    assert feed_all(good + data, 1)[0] == [talk(b"x")]


def test_what_came_before_a_fault_is_handed_out_first() -> None:
    parser = FrameParser()
    assert parser.feed(wire(talk(b"x")) + b"\xff" * 8) == [talk(b"x")]
    assert parser.fault is not None
    with pytest.raises(ProtocolError):
        parser.feed(b"")


def test_limits_themselves_are_allowed() -> None:
    messages = [(m.StatusReply(1, _nested(STATUS_DEPTH_MAX)), []), submit(*[b"x"] * PARTS_PER_MESSAGE_MAX)]
    assert FrameParser().feed(wire(*messages)) == messages
    assert len(FrameParser().feed(raw(*[m.Shutdown()] * MESSAGES_PER_FRAME_MAX))) == MESSAGES_PER_FRAME_MAX


def test_before_the_welcome_input_is_limited_in_all() -> None:
    data = wire(talk(b"x" * 100))
    parser = FrameParser(max_bytes=len(data) + 3)
    assert parser.feed(data) == [talk(b"x" * 100)]
    assert parser.feed(data[:3]) == []
    assert parser.room == 0
    with pytest.raises(ProtocolError, match="let in"):
        parser.feed(data[3:])


def test_a_lifted_limit_does_not_hold() -> None:
    data = wire(talk(b"x" * 100))
    parser = FrameParser(max_bytes=len(data))
    assert parser.feed(data) == [talk(b"x" * 100)]
    parser.lift_limit()
    assert parser.feed(data) == [talk(b"x" * 100)]


def test_nothing_is_reserved_for_what_is_only_announced() -> None:
    parser = FrameParser()
    data = struct.pack("<II", FRAME_BYTES_MAX, FRAME_HEADER_BYTES_MAX)
    tracemalloc.start()
    try:
        parser.feed(data)
        parser.feed(b"\xdd")
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_is_partial_tells_whether_an_end_would_cut_something_off() -> None:
    parser, data = FrameParser(), wire(talk(b"x"))
    assert not parser.is_partial
    for at in range(len(data) - 1):
        parser.feed(data[at : at + 1])
        assert parser.is_partial
    parser.feed(data[-1:])
    assert not parser.is_partial
    parser.feed(raw(m.Chunk(1), payload=b"x"))
    assert parser.is_partial
