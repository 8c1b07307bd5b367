"""A simulated run as a whole: its value, its errors, alone in its process, and everything as before afterwards."""

import gc
import random
import sys
import threading
import time
import weakref
from collections.abc import AsyncGenerator

import pytest
import trio

from triort import UsageError
from triort.testing._trio import schedule as schedules
from triort.testing._trio.clock import SimClock
from triort.testing._trio.garbage import FROZEN_BY_PYTHON_MAX
from triort.testing._trio.run import run
from triort.testing._trio.schedule import schedule_named


async def add(a: int, b: int) -> int:
    await trio.sleep(1)
    return a + b


async def fail() -> None:
    await trio.sleep(1)
    raise LookupError("of the program")


def state_of_the_process() -> list[object]:
    chance = trio._core._run._r
    patched = [time.monotonic, time.sleep, random.random, random.Random.__init__, threading.Thread.start]
    flag = trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING
    frozen = gc.get_freeze_count() <= FROZEN_BY_PYTHON_MAX
    return [*patched, flag, sorted(vars(chance)), gc.isenabled(), frozen, sys.get_asyncgen_hooks()]


def test_the_value_and_the_errors_come_out_as_they_are() -> None:
    assert run(add, 1, 2) == 3
    with pytest.raises(LookupError, match="of the program"):
        run(fail)

    async def fail_below() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)

    with pytest.raises(ExceptionGroup) as info:
        run(fail_below)
    assert [str(error) for error in info.value.exceptions] == ["of the program"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_comes_out_as_it_is(error: type[BaseException]) -> None:
    async def main() -> None:
        raise error

    with pytest.raises(error):
        run(main)


def test_everything_is_as_before_afterwards_also_after_errors() -> None:
    before = state_of_the_process()
    run(add, 1, 2)
    assert state_of_the_process() == before
    with pytest.raises(LookupError):
        run(fail)
    assert state_of_the_process() == before
    with pytest.raises(TypeError):
        run(add, 1)  # type: ignore[arg-type]
    assert state_of_the_process() == before


def test_trio_by_itself_runs_as_ever_after_a_simulation() -> None:
    run(add, 1, 2)

    async def main() -> float:
        start = trio.current_time()
        await trio.sleep(0.01)
        return trio.current_time() - start

    assert 0.01 <= trio.run(main) < 5


def test_a_simulation_runs_alone() -> None:
    async def nested() -> int:
        return run(add, 1, 2)

    with pytest.raises(UsageError, match="a simulation runs alone"):
        run(nested)
    with pytest.raises(UsageError, match="a simulation runs alone"):
        trio.run(nested)
    errors: list[BaseException] = []

    def beside() -> None:
        try:
            run(add, 1, 2)
        except UsageError as error:
            errors.append(error)

    async def main() -> None:
        thread = threading.Thread(target=beside)
        thread.start()
        thread.join()

    run(main, tripwires=False)
    assert [str(error).startswith("a simulation runs alone") for error in errors] == [True]
    assert run(add, 1, 2) == 3


def test_a_clock_and_a_schedule_are_for_one_run() -> None:
    clock, schedule = SimClock(), schedule_named("random", 1)
    run(add, 1, 2, clock=clock, schedule=schedule)
    with pytest.raises(UsageError, match="a simulated clock is for one run"):
        run(add, 1, 2, clock=clock)
    with pytest.raises(UsageError, match="a schedule is for one run"):
        run(add, 1, 2, schedule=schedule)
    with pytest.raises(UsageError, match="no schedule is called 'lifo'"):
        schedule_named("lifo", 1)


def test_instruments_see_the_run() -> None:
    class Steps(trio.abc.Instrument):
        count = 0

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            self.count += 1

    steps = Steps()
    run(add, 1, 2, instruments=[steps])
    assert steps.count > 3


class Cycle:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.me = self


def test_garbage_is_collected_at_fixed_points_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "BATCHES_BETWEEN_PAUSES", 50)
    alive: list[int] = []

    async def main() -> None:
        assert not gc.isenabled()
        cycles = [weakref.ref(Cycle()) for _ in range(100)]
        for _ in range(40):
            [[] for _ in range(1000)]
            await trio.lowlevel.checkpoint()
        alive.append(sum(cycle() is not None for cycle in cycles))
        for _ in range(40):
            await trio.lowlevel.checkpoint()
        alive.append(sum(cycle() is not None for cycle in cycles))
        last.append(weakref.ref(Cycle()))

    last: list[weakref.ref[Cycle]] = []
    schedule = schedule_named("random", 1)
    schedule._next_pause = 50
    run(main, schedule=schedule)
    assert alive == [100, 0]
    assert last[0]() is None


def test_a_process_that_has_frozen_objects_keeps_them_frozen() -> None:
    gc.freeze()
    try:
        before = gc.get_freeze_count()
        run(add, 1, 2)
        assert gc.get_freeze_count() >= before - 100
    finally:
        gc.unfreeze()


async def numbers(name: str, log: list[str]) -> AsyncGenerator[int, None]:
    try:
        while True:
            yield len(log)
    finally:
        log.append(name)
        await trio.lowlevel.checkpoint()
        log.append("never, for it is cancelled")


def test_generators_are_closed_in_the_order_of_their_first_use() -> None:
    log: list[str] = []
    kept = [numbers(f"{i}", log) for i in range(50)]

    async def main() -> None:
        for generator in reversed(kept):
            await anext(generator)
        await anext(kept[7])

    run(main)
    assert log == [f"{i}" for i in reversed(range(50))]


def test_a_generator_that_a_system_task_is_in_is_left_to_it(caplog: pytest.LogCaptureFixture) -> None:
    log: list[str] = []

    async def ticks() -> AsyncGenerator[int, None]:
        try:
            yield 1
            await trio.sleep_forever()
        finally:
            log.append("closed")

    async def tick() -> None:
        async for _ in ticks():
            log.append("tick")

    async def main() -> None:
        trio.lowlevel.spawn_system_task(tick)
        await trio.sleep(1)

    run(main)
    assert log == ["tick", "closed"]
    assert caplog.records == []


@pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")
def test_generators_that_are_garbage_are_closed_within_the_run() -> None:
    log: list[str] = []

    async def main() -> None:
        cycle: list[object] = [cycled := numbers("cycled", log), dropped := numbers("dropped", log)]
        cycle.append(cycle)
        await anext(cycled)
        await anext(dropped)
        cycle.remove(dropped)
        del dropped, cycled, cycle
        await trio.sleep(1)
        log.append("main is over")

    run(main)
    assert log == ["dropped", "main is over", "cycled"]


def test_what_a_generator_raises_in_the_end_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def failing() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            raise LookupError("in the end")

    async def main() -> None:
        await anext(kept)

    kept = failing()
    run(main)
    assert [record.name for record in caplog.records] == ["trio.async_generator_errors"]
    assert "failing failed when it was closed" in caplog.text
