"""The simulated clock: what happens when, in which order, and what waits for rest."""

import math
import time
from collections.abc import Callable

import pytest
import trio
import trio.testing

from triort import UsageError
from triort.testing._trio.clock import CANCELLED_KEPT_MIN, SimClock
from triort.testing._trio.run import run

Log = list[tuple[float, str]]


def run_logged(main: Callable[[SimClock, Callable[[str], None]], object]) -> Log:
    """Run ``main(clock, note)``, an async function, and give the notes with their times."""
    clock = SimClock()
    log: Log = []
    run(main, clock, lambda text: log.append((clock.now, text)), clock=clock)  # type: ignore[arg-type]
    return log


def test_events_come_by_time_and_then_as_they_were_put() -> None:
    async def main(clock, note):
        for text in ("a", "b", "c"):
            clock.at(2, note, f"{text} at 2")
            clock.after(1, note, f"{text} after 1")
        clock.at(-5, note, "over long ago")
        await trio.sleep(3)
        clock.at(1, note, "late")
        await trio.lowlevel.checkpoint()
        note("not yet")
        await trio.sleep(0.5)

    expected = [(0, "over long ago"), (1, "a after 1"), (1, "b after 1"), (1, "c after 1")]
    expected += [(2, "a at 2"), (2, "b at 2"), (2, "c at 2"), (3, "not yet"), (3, "late")]
    assert run_logged(main) == expected


def test_an_event_comes_before_the_deadline_of_the_same_time() -> None:
    async def main(clock, note):
        event = trio.Event()
        clock.after(1, event.set)
        with trio.move_on_after(1) as scope:
            await event.wait()
        note(f"cancelled: {scope.cancelled_caught}")

    assert run_logged(main) == [(1, "cancelled: False")]


def test_hours_of_sleep_take_no_time() -> None:
    async def main(clock, note):
        await trio.sleep(50_000)
        note("awake")

    start = time.monotonic()
    assert run_logged(main) == [(50_000, "awake")]
    assert time.monotonic() - start < 10


def test_what_comes_at_this_instant_happens_at_this_instant() -> None:
    async def main(clock, note):
        def again(n: int) -> None:
            note(f"{n} left")
            if n:
                clock.after(0, again, n - 1)

        clock.after(1, again, 2)
        await trio.sleep(2)
        note("over")

    assert run_logged(main) == [(1, "2 left"), (1, "1 left"), (1, "0 left"), (2, "over")]


def test_a_cancelled_event_does_not_happen_and_time_does_not_stop_for_it() -> None:
    async def main(clock, note):
        first, second, third = (clock.after(1 + i, note, f"{i}") for i in range(3))
        clock.cancel(first)
        clock.cancel(first)
        await trio.sleep(2.5)
        clock.cancel(second)
        clock.cancel(third)
        assert clock.num_pending == 0
        assert await clock.wait_quiet()
        note("rest")

    assert run_logged(main) == [(2, "1"), (2.5, "rest")]


def test_cancelled_events_do_not_pile_up() -> None:
    async def main(clock, note):
        for when in (50, 10, 40, 20, 30):
            for _ in range(10 * CANCELLED_KEPT_MIN):
                clock.cancel(clock.after(when / 2, note, "never"))
            clock.after(when, note, f"{when}")
        assert clock.num_pending == 5
        assert len(clock._heap) <= 2 * CANCELLED_KEPT_MIN + 5
        await trio.sleep(100)

    assert run_logged(main) == [(when, f"{when}") for when in (10, 20, 30, 40, 50)]


@pytest.mark.parametrize("when", [math.inf, math.nan])
def test_an_event_needs_a_time(when: float) -> None:
    clock = SimClock()
    with pytest.raises(UsageError, match="cannot happen at"):
        clock.at(when, print)
    with pytest.raises(UsageError, match="cannot happen at"):
        clock.in_background_at(when, print)
    assert clock.num_pending == 0


def test_what_an_event_raises_ends_the_run() -> None:
    async def main(clock, note):
        def fail() -> None:
            raise LookupError("in an event")

        clock.after(1, fail)
        try:
            await trio.sleep_forever()
        finally:
            note("unwound")

    log: Log = []
    clock = SimClock()
    with pytest.raises(LookupError, match="in an event") as info:
        run(main, clock, lambda text: log.append((clock.now, text)), clock=clock)
    assert log == [(1, "unwound")]
    assert "fail" in str(info.traceback[-1])


def test_waiting_for_idleness_lets_all_run_that_is_due_now_and_no_time_pass() -> None:
    async def main(clock, note):
        async def work() -> None:
            for _ in range(5):
                await trio.lowlevel.checkpoint()
            clock.after(0, note, "zero delay")
            clock.after(1, note, "later")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
            await clock.wait_idle()
            note("idle")
            await clock.wait_idle()
            note("idle still")
            await trio.sleep(2)

    assert run_logged(main) == [(0, "zero delay"), (0, "idle"), (0, "idle still"), (1, "later")]


def test_trios_own_wait_for_blocked_tasks_works_without_real_time() -> None:
    async def main(clock, note):
        async def work() -> None:
            await trio.lowlevel.checkpoint()
            note("worked")
            await trio.sleep(1)
            note("slept")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
            await trio.testing.wait_all_tasks_blocked()
            note("blocked")

    assert run_logged(main) == [(0, "worked"), (0, "blocked"), (1, "slept")]


def test_waiting_for_quiet_ends_at_rest_or_at_its_time() -> None:
    async def main(clock, note):
        clock.at(5, note, "event at 5")
        clock.at(9, note, "event at 9")
        note(f"{await clock.wait_quiet(5)}")
        note(f"{await clock.wait_quiet(7)}")
        note(f"{await clock.wait_quiet(6)}")
        note(f"{await clock.wait_quiet()}")
        note(f"{await clock.wait_quiet(100)}")

    expected = [(5, "event at 5"), (5, "False"), (7, "False"), (7, "False"), (9, "event at 9"), (9, "True")]
    assert run_logged(main) == [*expected, (9, "True")]


def test_a_sleeping_task_is_no_rest_and_one_own_deadline_is() -> None:
    async def main(clock, note):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 3)
            with trio.fail_after(1000):
                note(f"{await clock.wait_quiet(2)}")
                note(f"{await clock.wait_quiet()}")

    assert run_logged(main) == [(2, "False"), (3, "True")]


def test_what_only_looks_on_neither_prevents_rest_nor_wakes_it() -> None:
    async def main(clock, note):
        def look() -> None:
            note("look")
            clock.in_background_at(clock.now + 1, look)

        look()
        clock.after(2.5, note, "event")
        note(f"{await clock.wait_quiet()}")
        clock.cancel(clock.in_background_at(4, note, "cancelled"))
        assert clock.num_pending == 0
        await trio.sleep(1)

    expected = [(0, "look"), (1, "look"), (2, "look"), (2.5, "event"), (2.5, "True"), (3, "look")]
    assert run_logged(main) == expected


@pytest.mark.parametrize("name", ["wait_idle", "wait_quiet"])
def test_waits_for_rest_can_be_cancelled_and_are_checkpoints(name: str) -> None:
    async def main(clock, note):
        wait = getattr(clock, name)
        with trio.CancelScope() as scope:
            scope.cancel()
            await wait()
        assert scope.cancelled_caught
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            nursery.start_soon(wait)
            await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        with trio.testing.assert_checkpoints():
            await wait()
        note("done")

    assert run_logged(main) == [(0, "done")]


def test_all_that_wait_for_rest_are_woken() -> None:
    async def main(clock, note):
        async def wait(until_s: float) -> None:
            note(f"{until_s:g}: {await clock.wait_quiet(until_s)}")

        async with trio.open_nursery() as nursery:
            for until_s in (1, 2, math.inf):
                nursery.start_soon(wait, until_s)
            clock.at(1.5, note, "event")

    assert sorted(run_logged(main)) == [(1, "1: False"), (1.5, "2: True"), (1.5, "event"), (1.5, "inf: True")]
