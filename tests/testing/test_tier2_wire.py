"""Simulated links: frames in order, and each way in which a link can fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from triort._model.errors import ProtocolError
from triort._model.messages import Received, StatusRequest
from triort._transport.memory import MemoryConnection
from triort.testing._events import Event, Kind
from triort.testing._tier2.wire import Wire
from triort.testing._trio.clock import SimClock
from triort.testing._trio.run import run


class Air:
    """A clock, a list of events, and a latency of 1 s, or less for later frames so that these would overtake."""

    def __init__(self) -> None:
        self.clock = SimClock()
        self.events: list[Event] = []

    @property
    def now(self) -> float:
        return self.clock.now

    def at(self, when: float, fn: Callable[..., object], *args: object) -> object:
        return self.clock.at(when, fn, *args)

    def tell(self, event: Event) -> None:
        self.events.append(event)

    def latency_s(self, wire: Wire, way: str, number: int) -> float:
        return 1.0 / number

    def note_words(self, wire: Wire, batch: list[Received]) -> None:
        pass

    def tells_frames(self) -> bool:
        return True


def simulate(test: Callable[[Air, Wire], Awaitable[None]]) -> Air:
    air = Air()

    async def main() -> None:
        await test(air, Wire(air, "m0", "s", "m0", 1, 0))

    run(main, clock=air.clock)
    return air


def send(end: MemoryConnection, *numbers: int) -> None:
    for number in numbers:
        end.send_nowait(StatusRequest(number))
        end.flush_nowait()


def numbers(mail: list[Received]) -> list[int]:
    return [message.request for message, _ in mail if isinstance(message, StatusRequest)]


async def receive_all(end: MemoryConnection) -> tuple[list[int], type[Exception]]:
    """What comes, and how it ends."""
    found: list[int] = []
    while True:
        try:
            found += numbers(await end.receive())
        except Exception as exc:
            return found, type(exc)


def test_frames_arrive_in_order_after_their_latency() -> None:
    async def test(air: Air, wire: Wire) -> None:
        send(wire.boss_end, 1, 2)
        assert numbers(await wire.employee_end.receive()) == [1, 2]
        assert air.now == 1.0

    air = simulate(test)
    assert [(event.kind, event.number) for event in air.events] == [
        (Kind.SEND, 1), (Kind.SEND, 2), (Kind.DELIVER, 1), (Kind.DELIVER, 2),
    ]  # fmt: skip


def test_after_a_close_what_was_sent_arrives_and_then_the_end() -> None:
    async def test(air: Air, wire: Wire) -> None:
        send(wire.boss_end, 1)
        wire.boss_end.close()
        assert await receive_all(wire.employee_end) == ([1], trio.EndOfChannel)

    simulate(test)


def test_a_dead_process_sends_nothing_more() -> None:
    async def test(air: Air, wire: Wire) -> None:
        send(wire.employee_end, 1)
        wire.die("m0")
        send(wire.employee_end, 2)
        assert await receive_all(wire.boss_end) == ([1], trio.EndOfChannel)

    assert [event.number for event in simulate(test).events if event.kind is Kind.SEND] == [1]


def test_a_cut_loses_what_is_on_its_way_and_both_learn_of_it() -> None:
    async def test(air: Air, wire: Wire) -> None:
        send(wire.boss_end, 1)
        wire.cut("s", "m0")
        assert await receive_all(wire.employee_end) == ([], trio.BrokenResourceError)
        assert await receive_all(wire.boss_end) == ([], trio.BrokenResourceError)

    simulate(test)


def test_of_a_half_open_link_one_side_learns_and_the_other_waits() -> None:
    async def test(air: Air, wire: Wire) -> None:
        wire.cut("s")
        assert await receive_all(wire.boss_end) == ([], trio.BrokenResourceError)
        with trio.move_on_after(1000) as scope:
            await wire.employee_end.receive()
        assert scope.cancelled_caught

    simulate(test)


def test_what_is_held_comes_in_order_when_it_is_over_and_at_once_when_healed() -> None:
    async def test(air: Air, wire: Wire) -> None:
        wire.hold(10.0, wire.down)
        send(wire.boss_end, 1, 2)
        assert numbers(await wire.employee_end.receive()) == [1, 2]
        assert air.now == 10.0
        wire.hold(100.0, wire.down)
        send(wire.boss_end, 3)
        air.at(20.0, wire.heal)
        assert numbers(await wire.employee_end.receive()) == [3]
        assert air.now == 20.0

    simulate(test)


def test_a_corrupt_frame_is_a_protocol_error_and_nothing_comes_behind_it() -> None:
    async def test(air: Air, wire: Wire) -> None:
        wire.down.corrupt = True
        send(wire.boss_end, 1, 2)
        with pytest.raises(ProtocolError, match="s sent a frame that cannot be read"):
            await wire.employee_end.receive()
        with pytest.raises(ProtocolError):
            await wire.employee_end.receive()

    assert [event for event in simulate(test).events if event.kind is Kind.DELIVER] == []


def test_a_vanished_link_takes_everything_and_delivers_nothing() -> None:
    async def test(air: Air, wire: Wire) -> None:
        send(wire.boss_end, 1)
        wire.vanish()
        send(wire.boss_end, 2)
        wire.heal()
        with trio.move_on_after(1000) as scope:
            await wire.employee_end.receive()
        assert scope.cancelled_caught

    simulate(test)
