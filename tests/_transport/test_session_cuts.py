"""A session over lines that break anywhere: each message comes once, in an order that the queue allows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests._transport.check_connection import SPEC
from tests._transport.lossy_line import Pair
from triort._model import messages as m
from triort._model.errors import ProtocolError
from triort._model.ids import Address
from triort._model.limits import CHUNK_BYTES, RECEIPT_BYTES, RECEIPT_MESSAGES, RESUME_BYTES_MAX, RESUME_MESSAGES_MAX
from triort._wire.frames import Weighed

BULK = 2 * CHUNK_BYTES + 1
FREE = (m.Want, m.Waiting, m.Cancel)
"""What may overtake bulk."""


def message(kind: str, number: int) -> m.Received:
    match kind:
        case "update":
            return m.Update(number, 0), []
        case "want":
            return m.Want(number), []
        case "waiting":
            return m.Waiting(number, 0), []
        case "cancel":
            return m.Cancel([Address(number - 1)]), []
        case "submit":
            return m.Submit(0, [SPEC], [Address(number)], [0], [3]), [b"abc"]
        case _:
            return m.Submit(0, [SPEC], [Address(number)], [0], [BULK]), [number.to_bytes(4, "big") + bytes(BULK - 4)]


def check(sent: list[m.Received], got: list[m.Received]) -> None:
    assert sorted(map(repr, (each for each, _ in got))) == sorted(map(repr, (each for each, _ in sent)))
    assert {repr(each): parts for each, parts in got} == {repr(each): parts for each, parts in sent}
    in_order = [each for each, _ in sent if not isinstance(each, FREE)]
    assert [each for each, _ in got if not isinstance(each, FREE)] == in_order
    for kind in (m.Want, m.Waiting):
        assert [each for each, _ in got if isinstance(each, kind)] == [
            each for each, _ in sent if isinstance(each, kind)
        ]
    place = {repr(each): i for i, (each, _) in enumerate(got)}
    submitted = {each.addresses[0]: place[repr(each)] for each, _ in sent if isinstance(each, m.Submit)}
    for each, _ in sent:
        if isinstance(each, m.Cancel) and each.addresses[0] in submitted:
            assert place[repr(each)] > submitted[each.addresses[0]]


sides = st.sampled_from(["near", "far"])
kinds = st.sampled_from(["update", "want", "waiting", "cancel", "submit", "bulk"])
steps = st.one_of(
    st.tuples(st.just("send"), sides, kinds),
    st.tuples(st.just("send"), sides, kinds),
    st.tuples(st.just("send"), sides, kinds),
    st.tuples(st.just("flush"), sides, st.none()),
    st.tuples(st.just("read"), sides, st.none()),
    st.tuples(st.just("beat"), sides, st.none()),
    st.tuples(st.just("pump"), sides, st.one_of(st.integers(1, 200), st.integers(1, 3 * BULK))),
    st.tuples(st.just("cut"), sides, st.none()),
    st.tuples(st.just("redial"), sides, st.booleans()),
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, max_size=60))
def test_each_message_comes_once_whatever_is_cut(plan: list[tuple[str, str, object]]) -> None:
    pair, sent = Pair(), {"near": list[m.Received](), "far": list[m.Received]()}
    number = 0
    try:
        for step, side, what in plan:
            match step:
                case "send":
                    number += 1
                    sent[side].append(message(str(what), number))
                    pair.end(side).send_nowait(*sent[side][-1])
                case "flush":
                    pair.end(side).flush_nowait()
                case "read":
                    pair.read(side)
                case "beat":
                    pair.end(side).beat()
                case "pump":
                    pair.line.pump("down" if side == "near" else "up", int(str(what)))
                case "cut":
                    pair.line.cut()
                case _:
                    assert pair.redial(welcome_is_lost=bool(what))
        assert pair.redial()
        pair.settle()
        check(sent["near"], pair.got["far"])
        check(sent["far"], pair.got["near"])
        for side in ("near", "far"):
            pair.end(side).beat()
            pair.end(side).flush_nowait()
            assert pair.end(side).pending_bytes == 0
        pair.settle()
        for side in ("near", "far"):
            assert pair.end(side).replay.kept_bytes == 0
    finally:
        pair.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.close()


def send(pair: Pair, side: str, *messages: m.Received) -> None:
    for each in messages:
        pair.end(side).send_nowait(*each)
    pair.end(side).flush_nowait()


# -- cuts at chosen places ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", range(0, 160, 3))
def test_a_cut_at_any_byte_of_small_messages(pair: Pair, at: int) -> None:
    sent = [message("update", 1), message("submit", 2), message("want", 3), message("update", 4)]
    for each in sent:
        send(pair, "near", each)
    pair.line.pump("down", at)
    pair.line.cut()
    pair.read("far")
    assert pair.redial()
    pair.settle()
    assert pair.got["far"] == sent


@pytest.mark.parametrize("at", [1, CHUNK_BYTES - 1, CHUNK_BYTES + 100, 2 * CHUNK_BYTES + 50, BULK + 80])
def test_bulk_under_way_is_sent_again_whole(pair: Pair, at: int) -> None:
    bulk, later = message("bulk", 1), message("update", 2)
    send(pair, "near", bulk, later)
    done = 0
    while done < at:
        carried = pair.line.pump("down", at - done)
        done += carried
        pair.near.flush_nowait()
        pair.read("far")
        if not carried:
            break
    pair.line.cut()
    assert pair.redial()
    assert pair.near.pending_bytes > 0 or pair.near.replay.sent > 0
    pair.settle()
    assert pair.got["far"] == [bulk, later]


def test_many_cuts_in_a_row_lose_nothing_and_bring_nothing_twice(pair: Pair) -> None:
    sent = [message(kind, number) for number, kind in enumerate(["update", "submit", "want", "waiting"] * 50)]
    for number, each in enumerate(sent):
        send(pair, "far" if number % 2 else "near", each)
        pair.line.pump("down", 17)
        pair.line.pump("up", 23)
        pair.read("near")
        pair.read("far")
        if number % 3 == 0:
            pair.line.cut()
            assert pair.redial(welcome_is_lost=number % 2 == 0)
    assert pair.redial()
    pair.settle()
    assert pair.got["far"] == sent[::2]
    assert pair.got["near"] == sent[1::2]


def test_what_is_sent_while_there_is_no_connection_waits(pair: Pair) -> None:
    pair.line.cut()
    pair.read("near")
    assert pair.near.is_broken
    send(pair, "near", message("update", 1), message("bulk", 2))
    assert pair.near.pending_bytes > BULK
    assert pair.near.receive_nowait() == []
    assert pair.redial()
    pair.settle()
    assert pair.got["far"] == [message("update", 1), message("bulk", 2)]
    assert pair.near.pending_bytes == 0


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
    with pytest.raises(trio.EndOfChannel, match="silent for too long"):
        pair.read("near")
