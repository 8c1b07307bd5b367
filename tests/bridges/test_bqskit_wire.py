"""BQSKit's wire, as the gateway reads it."""

import pickle
import struct
import sys
import uuid
from multiprocessing import Pipe
from typing import Any

import pytest

pytest.importorskip("bqskit", reason="BQSKit is not installed: pip install 'triort[bqskit]'")

from bqskit import Circuit
from bqskit.compiler.task import CompilationTask
from bqskit.runtime.message import RuntimeMessage

from tests.bridges import bqskit_passes as passes
from triort._model.errors import ProtocolError
from triort.bridges.bqskit import _wire as wire


def sent(*messages: object) -> bytes:
    """What a connection of multiprocessing's writes."""
    ours, theirs = Pipe()
    with ours, theirs:
        data = b""
        for message in messages:
            theirs.send(message)
            content = ours.recv_bytes()
            data += struct.pack("!i", len(content)) + content
        return data


def test_frames_are_those_of_multiprocessing():
    ours, theirs = Pipe()
    with ours, theirs, open(theirs.fileno(), "wb", closefd=False) as raw:
        raw.write(wire.framed(wire.encode_message(wire.Kind.READY, {"a": 1})))
        raw.flush()
        assert ours.recv() == (RuntimeMessage.READY, {"a": 1})


def test_fed_byte_by_byte_or_at_once_the_messages_are_the_same():
    data = sent((RuntimeMessage.CONNECT, ["a", "b"]), (RuntimeMessage.DISCONNECT, None))
    at_once, by_byte = wire.Frames(), wire.Frames()
    whole = at_once.feed(data)
    pieces = [message for i in range(len(data)) for message in by_byte.feed(data[i : i + 1])]
    assert whole == pieces
    assert [wire.skim(each) for each in whole] == [(wire.Kind.CONNECT, ["a", "b"]), (wire.Kind.DISCONNECT, None)]


def test_a_large_message_has_a_long_header():
    frames = wire.Frames()
    assert frames.feed(struct.pack("!iQ", -1, 3) + b"abc") == [b"abc"]


@pytest.mark.parametrize("head", [struct.pack("!i", -2), struct.pack("!iQ", -1, 1 << 60)])
def test_a_length_beyond_the_limit_is_refused(head: bytes):
    with pytest.raises(ProtocolError, match="at most"):
        wire.Frames().feed(head)


def test_what_a_task_is_about_is_known_without_loading_it():
    task = CompilationTask(Circuit(3), [passes.Call(passes.pair, 1)])
    task.logging_level, task.max_logging_depth = 20, 4
    data = pickle.dumps((RuntimeMessage.SUBMIT, task))
    kind, shell = wire.skim(data)
    assert kind is wire.Kind.SUBMIT
    assert (shell.state["task_id"], shell.state["logging_level"]) == (task.task_id, 20)
    assert shell.state["max_logging_depth"] == 4
    assert isinstance(shell.state["circuit"], wire.Shell)
    assert wire.decode_message(data)[1].task_id == task.task_id


class Imports:
    def __reduce__(self) -> tuple[Any, ...]:
        return __import__, ("this",)


def test_nothing_that_a_message_names_is_called_or_imported():
    kind, content = wire.skim(pickle.dumps((RuntimeMessage.SUBMIT, Imports())))
    assert kind is wire.Kind.SUBMIT
    assert isinstance(content, wire.Shell)
    assert "this" not in sys.modules


def test_ids_survive():
    task_id = uuid.uuid4()
    for protocol in range(2, 6):
        assert wire.skim(pickle.dumps((RuntimeMessage.STATUS, task_id), protocol)) == (wire.Kind.STATUS, task_id)


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"garbage", pickle.dumps(5), pickle.dumps((5, 5)), pickle.dumps((1, 2, 3))]
)
def test_what_is_no_message_is_a_protocol_error(data: bytes):
    with pytest.raises(ProtocolError, match="a message"):
        wire.skim(data)
