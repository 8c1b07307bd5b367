"""Sessions kept by their two ends, over time: beats, breaks, silence, refusals and the fence."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from tests._node.memory_net import Ends, Net
from triort._core.pulse import Role
from triort._model import messages as m
from triort._model.errors import ProtocolError
from triort._model.limits import FENCE_S, GRACE_S, HEARTBEAT_S, LEASE_S, REDIAL_S, STALL_S, STOP_S
from triort._node.handshake import make_hello
from triort._node.machine import OwnMachine
from triort._node.sessions import Sessions, again, is_healthy, keep
from triort._transport.memory import open_memory_pair
from triort._transport.session import SessionConnection

ROLES = [(Role.BOSS, Role.EMPLOYEE), (Role.EMPLOYEE, Role.BOSS), (Role.CLIENT, Role.SERVER)]
A_MOMENT_S = 0.5


def updates(*numbers: int) -> list[m.Message]:
    return [m.Update(number, 0) for number in numbers]


@pytest.fixture(params=ROLES, ids=lambda roles: roles[0].value)
async def ends(request: pytest.FixtureRequest, autojump_clock: MockClock) -> AsyncIterator[Ends]:
    ends = Ends(Net(), *request.param)
    async with trio.open_nursery() as nursery:
        await ends.open(nursery)
        await trio.sleep(A_MOMENT_S)
        yield ends
        nursery.cancel_scope.cancel()


def lower_of(ends: Ends) -> str:
    return "dialler" if ends.roles["dialler"].is_lower else "listener"


async def test_beats_keep_a_link_for_ever_and_tell_what_has_come(autojump_clock: MockClock, ends: Ends) -> None:
    for number in range(10):
        ends.say("dialler", number)
        ends.say("listener", -number)
    await trio.sleep(1_000)
    assert ends.ends == {}
    assert ends.net.num_dialled == 1
    assert ends.got["listener"] == updates(*range(10))
    for conn in ends.conns.values():
        assert isinstance(conn, SessionConnection)
        assert conn.replay.first == 10


@pytest.mark.parametrize("heard_by", [(), ("dialler",), ("listener",)])
async def test_a_break_costs_nothing_whoever_hears_of_it(
    autojump_clock: MockClock, ends: Ends, heard_by: tuple[str, ...]
) -> None:
    for number in range(5):
        ends.say("dialler", number)
        ends.say("listener", 10 + number)
        if number == 2:
            ends.net.cut(*heard_by)
    await trio.sleep(STALL_S + A_MOMENT_S)
    assert ends.got == {"dialler": updates(*range(10, 15)), "listener": updates(*range(5))}
    assert ends.ends == {}
    assert ends.net.num_dialled == 2
    assert all(is_healthy(conn) for conn in ends.conns.values())


async def test_the_dialler_tells_its_node_of_each_break_and_its_end(autojump_clock: MockClock, ends: Ends) -> None:
    for _ in range(3):
        ends.net.cut()
        await trio.sleep(A_MOMENT_S)
    assert [is_broken for _, is_broken in ends.breaks] == [True, False] * 3


async def test_a_silent_link_is_dialled_again_in_time(autojump_clock: MockClock, ends: Ends) -> None:
    ends.net.dumb.update(ends.net.links[-1])
    ends.say("dialler", 1)
    ends.say("listener", 2)
    await trio.sleep(STALL_S + A_MOMENT_S)
    assert ends.ends == {}
    assert ends.net.num_dialled == 2
    assert ends.got == {"dialler": updates(2), "listener": updates(1)}


@pytest.mark.parametrize("lost", [{"dialler"}, {"listener"}, {"dialler", "listener"}])
async def test_silence_for_good_ends_the_lower_side_in_time_for_the_fence(
    autojump_clock: MockClock, ends: Ends, lost: set[str]
) -> None:
    lower, now = lower_of(ends), trio.current_time()
    ends.net.lost = lost
    await trio.sleep(STOP_S + STALL_S + FENCE_S + 2 * REDIAL_S)
    (lower_at, lower_end), (upper_at, upper_end) = (
        ends.ends[lower],
        ends.ends["listener" if lower == "dialler" else "dialler"],
    )
    assert isinstance(lower_end, trio.BrokenResourceError)
    assert isinstance(upper_end, trio.BrokenResourceError)
    if ends.roles[lower] is Role.EMPLOYEE:
        assert lower_at <= now + STOP_S + A_MOMENT_S
        assert lower_at + GRACE_S <= upper_at
        assert upper_at <= max(now, lower_at if lower not in lost else 0.0) + FENCE_S + A_MOMENT_S
    else:
        assert now + STALL_S - HEARTBEAT_S < lower_at <= now + STALL_S + STOP_S + REDIAL_S
        assert now + LEASE_S - HEARTBEAT_S <= upper_at <= max(now, lower_at) + LEASE_S + A_MOMENT_S


async def test_when_nobody_listens_any_more_the_dialler_knows_at_once(autojump_clock: MockClock, ends: Ends) -> None:
    now = trio.current_time()
    ends.net.listens = False
    ends.net.cut()
    await trio.sleep(A_MOMENT_S)
    at, end = ends.ends["dialler"]
    assert at - now < 0.1
    assert "nobody listens there" in str(end)
    assert "listener" not in ends.ends


async def test_a_close_ends_both_sides_at_once(autojump_clock: MockClock, ends: Ends) -> None:
    now = trio.current_time()
    ends.say("dialler", 1)
    ends.conns["dialler"].close()
    await trio.sleep(A_MOMENT_S)
    at, end = ends.ends["listener"]
    assert at - now < 0.1
    assert isinstance(end, trio.EndOfChannel)
    assert ends.got["listener"] == updates(1)
    assert ends.net.num_dialled == 1


async def test_a_close_while_there_is_no_connection_stops_the_dialling(autojump_clock: MockClock, ends: Ends) -> None:
    ends.net.lost = {"dialler", "listener"}
    ends.net.cut()
    await trio.sleep(1)
    ends.conns["dialler"].close()
    dialled = ends.net.num_dialled
    await trio.sleep(100)
    assert ends.net.num_dialled == dialled


async def test_a_session_that_is_over_on_the_other_side_is_refused(autojump_clock: MockClock, ends: Ends) -> None:
    ends.net.lost = {"listener"}
    ends.conns["listener"].close()  # its Bye is lost
    ends.net.lost = set()
    ends.net.cut("dialler")
    await trio.sleep(A_MOMENT_S)
    assert "no such session" in str(ends.ends["dialler"][1])


async def test_a_protocol_error_ends_the_session_on_both_sides(autojump_clock: MockClock, ends: Ends) -> None:
    ends.net.links[-1][0].deliver_end(ProtocolError("nonsense"))
    await trio.sleep(A_MOMENT_S)
    assert isinstance(ends.ends["dialler"][1], ProtocolError)
    assert isinstance(ends.ends["listener"][1], trio.BrokenResourceError)


async def test_a_lost_welcome_costs_one_more_attempt(autojump_clock: MockClock, ends: Ends) -> None:
    ends.say("dialler", 1)
    ends.say("listener", 2)
    ends.net.cut()
    ends.net.lost = {"listener"}
    await trio.sleep(1)
    ends.net.lost = set()
    await trio.sleep(2 * REDIAL_S)
    assert ends.got == {"dialler": updates(2), "listener": updates(1)}
    assert ends.ends == {}


async def test_a_connection_that_comes_late_is_refused_and_harms_nobody(autojump_clock: MockClock, ends: Ends) -> None:
    for _ in range(2):
        ends.net.cut()
        await trio.sleep(A_MOMENT_S)
    ends.say("dialler", 1)
    await trio.sleep(A_MOMENT_S)
    late, far = open_memory_pair("late", "listener")
    hello = make_hello(ends.roles["dialler"].value, "dialler", session=7)
    late.send_nowait(again(hello, 0, 1))
    late.flush_nowait()
    await ends.accept(far)
    assert "a later connection" in ends.refused[0]
    ends.say("dialler", 2)
    ends.say("listener", 3)
    await trio.sleep(A_MOMENT_S)
    assert ends.got == {"dialler": updates(3), "listener": updates(1, 2)}
    assert ends.net.num_dialled == 3


async def test_a_session_of_another_role_or_number_is_not_found(autojump_clock: MockClock, ends: Ends) -> None:
    raw, far = open_memory_pair("stranger", "listener")
    for role, number in (("status", 7), (ends.roles["dialler"].value, 8)):
        with pytest.raises(ProtocolError, match="no such session"):
            ends.sessions.resume(far, again(make_hello(role, "x", session=number), 0, 1), "listener")
    with pytest.raises(ProtocolError, match="open already"):
        ends.sessions.check_new(far, make_hello("boss", "x", session=7))
    assert isinstance((await raw.receive())[0][0], m.Refuse)


async def test_what_cannot_be_resumed_exactly_is_not_resumed(autojump_clock: MockClock, ends: Ends) -> None:
    ends.say("listener", 1)
    await trio.sleep(A_MOMENT_S)
    conn = ends.conns["dialler"]
    assert isinstance(conn, SessionConnection)
    conn.replay.received = 5  # more than there ever was
    ends.net.cut()
    await trio.sleep(A_MOMENT_S)
    for side in ("dialler", "listener"):
        assert isinstance(ends.ends[side][1], trio.BrokenResourceError)


async def test_without_a_session_number_a_link_is_what_it_was(autojump_clock: MockClock) -> None:
    raw, _ = open_memory_pair("a", "b")
    conn = Sessions().accepted(OwnMachine(), Role.SERVER, raw, make_hello("client", "x"))
    assert conn is raw
    assert is_healthy(conn)
    await keep(conn)
