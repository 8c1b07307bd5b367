"""Runs in which nothing can happen any more: they end, and tell who waits where."""

import re
import time
import weakref
from collections.abc import Iterator

import pytest
import trio

from triort.testing._trio.clock import SimClock
from triort.testing._trio.failures import Deadlock
from triort.testing._trio.run import run


@pytest.fixture(autouse=True)
def _no_real_waiting() -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < 20


async def wait_for(event: trio.Event) -> None:
    await event.wait()


class Callee:
    """A task's function that has no name but its address."""

    async def __call__(self) -> None:
        await trio.sleep_forever()


async def locked_up() -> None:
    send, receive = trio.open_memory_channel[int](0)
    async with trio.open_nursery() as nursery:
        await trio.sleep(1.5)
        for _ in range(3):
            nursery.start_soon(wait_for, trio.Event())
        nursery.start_soon(trio.sleep_forever, name="sleeper")
        nursery.start_soon(Callee())
        await send.send(1)
    receive.close()


def test_a_deadlock_tells_all_that_wait_and_where() -> None:
    with pytest.raises(Deadlock) as info:
        run(locked_up)
    here = re.escape(__name__)
    assert info.value.now_s == 1.5
    patterns = [
        r"deadlock at 1\.5 s: all tasks are blocked, and no event or deadline is left",
        rf"  {here}\.locked_up: {here}:\d+ locked_up → MemorySendChannel\.send",
        rf"    <{here}\.Callee>: {here}:\d+ Callee\.__call__ → sleep_forever",
        r"    sleeper: sleep_forever",
        rf"    {here}\.wait_for: {here}:\d+ wait_for → Event\.wait \(× 3\)",
    ]
    lines = str(info.value).splitlines()
    assert [line for line in lines if not any(re.fullmatch(pattern, line) for pattern in patterns)] == []
    assert len(lines) == len(patterns)
    assert "0x" not in str(info.value)


def test_a_deadlock_is_told_in_the_same_words_under_every_schedule() -> None:
    told = set()
    for seed in range(10):
        with pytest.raises(Deadlock) as info:
            run(locked_up, seed=seed)
        told.add(str(info.value))
    assert len(told) == 1


def test_a_great_deadlock_is_told_shortly() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for i in range(1000):
                nursery.start_soon(trio.sleep_forever, name=f"task {i}")

    with pytest.raises(Deadlock) as info:
        run(main)
    assert len(info.value.blocked) == 201
    assert info.value.blocked[-1] == "  … and 801 lines more"


def test_the_hook_for_deadlocks_may_wake_somebody_once() -> None:
    async def main() -> str:
        await event.wait()
        if len(seen) < 2 and again:
            await trio.sleep_forever()
        return "woken"

    for again in (False, True):
        event = trio.Event()
        seen: list[Deadlock] = []

        def wake(error: Deadlock, event: trio.Event = event, seen: list[Deadlock] = seen) -> None:
            seen.append(error)
            event.set()

        clock = SimClock(on_deadlock=wake)
        if again:
            with pytest.raises(Deadlock):
                run(main, clock=clock)
        else:
            assert run(main, clock=clock) == "woken"
        assert len(seen) == 1


def test_a_hook_that_wakes_nobody_or_fails_ends_the_run() -> None:
    with pytest.raises(Deadlock):
        run(trio.sleep_forever, clock=SimClock(on_deadlock=lambda error: None))

    def fail(error: Deadlock) -> None:
        raise LookupError("of the hook")

    with pytest.raises(LookupError, match="of the hook"):
        run(trio.sleep_forever, clock=SimClock(on_deadlock=fail))


def test_cleaning_up_may_take_time_and_what_it_raises_is_context() -> None:
    log: list[float] = []

    async def main() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(5)
            log.append(trio.current_time())
            raise LookupError("in the end")

    with pytest.raises(Deadlock) as info:
        run(main)
    assert log == [5]
    assert isinstance(info.value.__context__, LookupError)


def test_what_waits_behind_shields_unwinds_too() -> None:
    log: list[str] = []

    async def wait(i: int) -> None:
        try:
            with trio.CancelScope(shield=True), trio.CancelScope():
                await trio.sleep_forever()
        finally:
            log.append(f"{i} unwinds")
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
                log.append(f"{i} has slept")
                await trio.sleep_forever()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.cancel_scope.shield = True
            nursery.start_soon(wait, 0)
            nursery.start_soon(wait, 1)

    with pytest.raises(Deadlock):
        run(main)
    assert sorted(log) == ["0 has slept", "0 unwinds", "1 has slept", "1 unwinds"]


async def wait_beyond_cancel() -> None:
    await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)


async def shield_again_and_again() -> None:
    while True:
        try:
            with trio.CancelScope(shield=True):
                await trio.sleep_forever()
        except trio.Cancelled:
            continue


@pytest.mark.parametrize("wait", [wait_beyond_cancel, shield_again_and_again])
def test_a_run_that_cannot_be_cancelled_is_given_up_and_leaves_no_task(wait) -> None:
    async def main() -> None:
        tasks.append(weakref.ref(trio.lowlevel.current_task()))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)

    tasks: list[weakref.ref[trio.lowlevel.Task]] = []
    with pytest.raises(Deadlock):
        run(main)
    assert tasks[0]() is None
    assert run(trio.sleep, 1) is None


def test_an_end_that_is_swallowed_is_told_all_the_same() -> None:
    async def main() -> str:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            return "all is well"
        return "never"

    with pytest.raises(Deadlock):
        run(main)


def test_a_failure_may_be_set_by_hand_and_the_first_one_counts() -> None:
    clock = SimClock()

    async def main() -> None:
        clock.after(1, clock.fail, LookupError("first"))
        clock.after(1, clock.fail, LookupError("second"))
        await trio.sleep(5)

    with pytest.raises(LookupError, match="first"):
        run(main, clock=clock)
    assert clock.now == 1
