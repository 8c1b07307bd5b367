"""Runs that go on for ever, by tasks, by events or by time: they end at a limit, and tell which."""

import weakref

import pytest
import trio

from triort.testing._trio import clock as clocks
from triort.testing._trio.clock import SimClock
from triort.testing._trio.failures import Livelock, TimeLimit
from triort.testing._trio.run import run
from triort.testing._trio.schedule import schedule_named


async def turn_for_ever() -> None:
    while True:
        await trio.lowlevel.checkpoint()


async def turn_and_swallow() -> None:
    while True:
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled:
            continue


async def turn_behind_a_shield() -> None:
    with trio.CancelScope(shield=True):
        await turn_for_ever()


@pytest.mark.parametrize("turning", [turn_for_ever, turn_and_swallow, turn_behind_a_shield])
def test_tasks_that_turn_without_time_passing_are_a_livelock(turning) -> None:
    async def main() -> None:
        tasks.append(weakref.ref(trio.lowlevel.current_task()))
        await trio.sleep(2)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(turning)
            await trio.sleep(1)

    tasks: list[weakref.ref[trio.lowlevel.Task]] = []
    schedule = schedule_named("random", 1)
    schedule.batches_at_once_max = 500
    with pytest.raises(Livelock, match=rf"livelock at 2 s: 500 batches .*ready: .*\.{turning.__name__}"):
        run(main, schedule=schedule)
    assert tasks[0]() is None
    assert run(trio.sleep, 1) is None


def test_events_without_end_are_a_livelock() -> None:
    clock = SimClock(max_events=1000)

    def again() -> None:
        clock.after(0.5, again)

    async def main() -> None:
        again()
        await trio.sleep_forever()

    with pytest.raises(Livelock, match=r"livelock at 500\.5 s: 1001 events, and the run is not over"):
        run(main, clock=clock)


def test_events_without_end_behind_a_shield_are_a_livelock_and_it_unwinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "EVENTS_TO_UNWIND_MAX", 50)
    log: list[str] = []

    async def main() -> None:
        try:
            with trio.CancelScope(shield=True):
                while True:
                    await trio.sleep(1)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
                for _ in range(30):
                    await trio.sleep(1)
            log.append("unwound")

    with pytest.raises(Livelock, match=r"livelock at 101 s: 101 events"):
        run(main, clock=SimClock(max_events=100))
    assert log == ["unwound"]


def test_deadlines_without_end_are_a_livelock() -> None:
    async def main() -> None:
        while True:
            await trio.sleep(1)

    with pytest.raises(Livelock, match=r"livelock at 101 s: 101 events"):
        run(main, clock=SimClock(max_events=100))


def test_events_that_beget_each_other_at_one_instant_are_a_livelock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "EVENTS_AT_ONCE_MAX", 2000)
    clock = SimClock()

    def beget() -> None:
        clock.after(0, beget)

    async def main() -> None:
        beget()
        await trio.sleep(1)

    with pytest.raises(Livelock, match=r"more than 2000 events at once, last .*beget"):
        run(main, clock=clock)


def test_the_limit_of_time_ends_a_run_and_leaves_time_to_unwind() -> None:
    log: list[float] = []

    async def main() -> None:
        try:
            for _ in range(100):
                await trio.sleep(1)
        finally:
            log.append(trio.current_time())
            with trio.CancelScope(shield=True):
                await trio.sleep(7)
            log.append(trio.current_time())

    with pytest.raises(TimeLimit, match=r"not over at its time limit of 10\.5 s"):
        run(main, clock=SimClock(time_limit_s=10.5))
    assert log == [10, 17]
    assert run(trio.sleep, 10, clock=SimClock(time_limit_s=10)) is None
