"""A session over lines that break anywhere: each message comes once, in an order that the queue allows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests._transport.lossy_line import BULK, Pair, message, send
from triort._model import messages as m
from triort._model.limits import CHUNK_BYTES

FREE = (m.Want, m.Waiting, m.Cancel)
"""What may overtake bulk."""


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
        assert (pair.near.replay.sent, pair.far.replay.sent) == (len(sent["near"]), len(sent["far"]))
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


async def test_messages_in_the_hands_of_a_reader_of_the_old_connection_come_once() -> None:
    for number in range(10):
        pair = Pair()
        for _ in range(3):
            send(pair, "near", message("update", number))
            pair.line.pump("down", 1_000)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read_on, pair, nursery)
                await trio.lowlevel.checkpoint()  # the reader may have read, and not counted
                assert pair.redial()
                await trio.testing.wait_all_tasks_blocked()
                pair.near.flush_nowait()
                pair.line.pump("down", 1_000)
        pair.close()


async def read_on(pair: Pair, nursery: trio.Nursery) -> None:
    got = len(pair.got["far"])
    pair.got["far"] += await pair.far.receive()
    assert len(pair.got["far"]) == got + 1
    nursery.cancel_scope.cancel()
