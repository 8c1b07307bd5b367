"""The lobby: so many wait at most, the silent go first, a crowd is let in one after the other."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from triort._model.errors import AccessError
from triort._model.limits import HANDSHAKE_GRACE_S, HANDSHAKE_S, REFUSALS_LOGGED_MAX
from triort._model.messages import Refuse, Welcome
from triort._node import arrivals
from triort._node.arrivals import Arrival, Lobby, serve_arrivals
from triort._node.handshake import make_hello, welcome
from triort._node.refusals import Refusals
from triort._transport.memory import MemoryConnection, open_memory_pair

MOST, MOST_OF_ONE = 8, 4


class Door:
    """A listener at which others knock."""

    port = 0

    def __init__(self) -> None:
        self._knocks, self._queue = trio.open_memory_channel[MemoryConnection | Exception](100_000)
        self.accepted = 0
        self.make_room: Callable[[], object] = int

    async def accept(self, make_room: Callable[[], object]) -> MemoryConnection:
        self.make_room = make_room
        found = await self._queue.receive()
        if isinstance(found, Exception):
            raise found
        self.accepted += 1
        return found

    def close(self) -> None:
        """Nobody comes any more."""

    def knock(self, host: str = "a") -> MemoryConnection:
        near, far = open_memory_pair(f"{host}:1", "node")
        far.host = host
        self._knocks.send_nowait(far)
        return near

    def fail(self, error: Exception) -> None:
        self._knocks.send_nowait(error)


class Hall:
    """A node that lets everybody in who says a valid HELLO."""

    def __init__(self) -> None:
        self.door, self.lobby, self.complaints = Door(), Lobby(), list[str]()

    async def let_in(self, arrival: Arrival) -> None:
        welcome(arrival[0], "node")


@pytest.fixture
async def hall(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hall]:
    monkeypatch.setattr(arrivals, "HANDSHAKES_MAX", MOST)
    monkeypatch.setattr(arrivals, "HANDSHAKES_PER_ADDRESS_MAX", MOST_OF_ONE)
    async with open_hall() as opened:
        yield opened


@asynccontextmanager
async def open_hall() -> AsyncIterator[Hall]:
    hall = Hall()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            serve_arrivals, hall.door, hall.lobby, ("client",), hall.let_in, lambda e: hall.complaints.append(str(e))
        )
        yield hall
        nursery.cancel_scope.cancel()


async def say_hello(conn: MemoryConnection) -> float:
    """How long it took to be let in."""
    start = trio.current_time()
    conn.send_nowait(make_hello("client", "c"))
    conn.flush_nowait()
    assert isinstance((await conn.receive())[0][0], Welcome)
    return trio.current_time() - start


async def test_who_says_hello_is_let_in_and_waits_no_more(hall: Hall, autojump_clock: MockClock) -> None:
    assert await say_hello(hall.door.knock()) == 0
    assert hall.lobby.guests == []


async def test_who_says_nothing_goes_after_its_time(hall: Hall, autojump_clock: MockClock) -> None:
    conn = hall.door.knock()
    with pytest.raises(trio.EndOfChannel):
        await conn.receive()
    assert trio.current_time() == pytest.approx(HANDSHAKE_S)
    assert hall.complaints == [f"a:1 said nothing for {HANDSHAKE_S} s"]
    assert hall.lobby.guests == []


async def test_a_silent_crowd_of_one_address_keeps_out_nobody(hall: Hall, autojump_clock: MockClock) -> None:
    for _ in range(5 * MOST):
        hall.door.knock("a")
    await trio.testing.wait_all_tasks_blocked()
    assert len(hall.lobby.guests) == MOST_OF_ONE
    assert await say_hello(hall.door.knock("a")) <= 10 * HANDSHAKE_GRACE_S


async def test_a_silent_crowd_of_many_addresses_keeps_out_nobody(hall: Hall, autojump_clock: MockClock) -> None:
    for number in range(5 * MOST):
        hall.door.knock(f"h{number}")
    await trio.testing.wait_all_tasks_blocked()
    assert len(hall.lobby.guests) == MOST
    assert await say_hello(hall.door.knock("b")) <= 5 * HANDSHAKE_GRACE_S


async def test_of_a_crowd_that_speaks_all_are_let_in(hall: Hall, autojump_clock: MockClock) -> None:
    conns = [hall.door.knock("a") for _ in range(20 * MOST)]
    async with trio.open_nursery() as nursery:
        for conn in conns:
            nursery.start_soon(say_hello, conn)
    assert hall.complaints == []


async def test_without_descriptors_the_older_half_goes(hall: Hall, autojump_clock: MockClock) -> None:
    conns = [hall.door.knock(f"h{number}") for number in range(5)]
    await trio.testing.wait_all_tasks_blocked()
    hall.door.make_room()
    await trio.testing.wait_all_tasks_blocked()
    assert [guest.host for guest in hall.lobby.guests] == ["h3", "h4"]
    with pytest.raises(trio.EndOfChannel):
        await conns[0].receive()
    assert sorted(hall.complaints) == [f"h{n}:1 said nothing, and others wanted its place" for n in range(3)]


async def test_an_access_that_has_ended_ends_no_node(hall: Hall, autojump_clock: MockClock) -> None:
    hall.door.fail(AccessError("it has expired"))
    assert await say_hello(hall.door.knock()) == 0
    assert hall.complaints == ["it has expired"]


async def test_two_words_at_once_are_refused(hall: Hall, autojump_clock: MockClock) -> None:
    conn = hall.door.knock()
    conn.send_nowait(make_hello("client", "c"))
    conn.send_nowait(make_hello("client", "c"))
    conn.flush_nowait()
    answer = (await conn.receive())[0][0]
    assert isinstance(answer, Refuse)
    assert answer.reason == "the first message has to be a HELLO"


async def test_the_log_says_who_and_why_but_not_for_ever(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    refusals = Refusals(logging.getLogger("triort.test"))
    for number in range(1_000):
        refusals.note("node", f"peer {number}\nERROR: \x1b[31m" + "x" * 5_000)
    assert len(caplog.records) == REFUSALS_LOGGED_MAX
    assert all("\n" not in record.getMessage() and len(record.getMessage()) < 1_100 for record in caplog.records)
    await trio.sleep(60)
    refusals.note("node", "one more")
    assert [record.getMessage() for record in caplog.records[-2:]] == [
        f"node: {1_000 - REFUSALS_LOGGED_MAX} more lines like these were left out",
        "node: one more",
    ]
