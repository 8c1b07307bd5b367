"""What a session keeps, what it confirms, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio

from tests._transport.lossy_line import BULK, Pair, message, send
from triort._model import messages as m
from triort._model.errors import ProtocolError
from triort._model.limits import RECEIPT_BYTES, RECEIPT_MESSAGES, RESUME_BYTES_MAX, RESUME_MESSAGES_MAX
from triort._wire.frames import Weighed


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.close()


# -- receipts and bounds --------------------------------------------------------------------------------------------


def test_receipts_come_by_count_and_by_size(pair: Pair) -> None:
    send(pair, "near", *[message("update", number) for number in range(RECEIPT_MESSAGES - 1)])
    pair.settle()
    assert pair.near.replay.first == 0
    send(pair, "near", message("update", 1))
    pair.settle()
    assert pair.near.replay.first == RECEIPT_MESSAGES
    for number in range(3):
        send(pair, "near", message("bulk", number))
    pair.settle()
    assert 3 * BULK > RECEIPT_BYTES
    assert pair.near.replay.first >= RECEIPT_MESSAGES + 2


def test_what_is_kept_is_bounded_and_beyond_it_there_is_no_way_back(pair: Pair) -> None:
    count = RESUME_BYTES_MAX // BULK + 2
    for number in range(count):
        send(pair, "near", message("bulk", number))
        while pair.line.pump("down", 1 << 24):
            pair.near.flush_nowait()
            pair.far._raw.receive_nowait()  # type: ignore[union-attr]  # it comes, and no receipt goes back
    assert pair.near.replay.kept_bytes <= RESUME_BYTES_MAX
    assert 0 < pair.near.replay.first < count
    pair.line.cut()
    assert not pair.redial()


def test_the_number_of_kept_messages_is_bounded(pair: Pair) -> None:
    batch: list[Weighed] = [(m.Update(1, 0), [], 0)] * (RESUME_MESSAGES_MAX + 10)
    pair.near.replay.note_sent(batch)
    assert pair.near.replay.first == 10
    assert not pair.near.replay.can_rewind(9)
    assert pair.near.replay.can_rewind(10)
    pair.near.replay.note_receipt(20)
    assert pair.near.replay.first == 20


def test_a_receipt_for_more_than_was_sent_is_the_peers_fault(pair: Pair) -> None:
    pair.far.replay.received = 5
    pair.far.beat()
    pair.line.pump("up", 1_000)
    with pytest.raises(ProtocolError, match="receipt for 5"):
        pair.read("near")


# -- ends -------------------------------------------------------------------------------------------------------------


def test_a_bye_ends_the_session_and_a_break_does_not(pair: Pair) -> None:
    pair.line.cut()
    pair.read("far")
    assert pair.far.is_broken
    assert pair.redial()
    send(pair, "near", message("update", 1))
    pair.near.close()
    pair.line.pump("down", 1_000)
    pair.read("far")
    assert pair.got["far"] == [message("update", 1)]
    with pytest.raises(trio.EndOfChannel, match="ended the link"):
        pair.read("far")
    assert not pair.redial()


def test_a_bye_in_the_buffers_is_found_when_a_send_fails(pair: Pair) -> None:
    pair.near.close()
    pair.line.pump("down", 1_000)
    pair.line.cut()
    for number in range(3):
        send(pair, "far", message("update", number))
    assert pair.far.is_over
    with pytest.raises(trio.EndOfChannel):
        pair.read("far")


def test_the_end_of_a_session_comes_after_what_has_come(pair: Pair) -> None:
    send(pair, "near", message("update", 1))
    pair.line.pump("down", 1_000)
    pair.far.feed([])
    pair.far._read(pair.far._raw)  # type: ignore[arg-type]
    pair.far.end(trio.BrokenResourceError("silent for too long"))
    pair.read("far")
    assert pair.got["far"] == [message("update", 1)]
    for _ in range(2):
        with pytest.raises(trio.BrokenResourceError, match="silent for too long"):
            pair.read("far")
    pair.far.send_nowait(*message("update", 2))
    assert pair.far.pending_bytes == 0
    pair.line.pump("up", 1_000)
    with pytest.raises(trio.BrokenResourceError, match="silent for too long"):
        pair.read("near")
