"""One program, one seed, one trace: in every process, by every policy, and as recorded."""

import json
import os
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trio

from tests.testing.trio_program import Program, digest, traced
from triort.testing._trio.clock import SimClock
from triort.testing._trio.policies import Script, Shuffled
from triort.testing._trio.run import run
from triort.testing._trio.schedule import Schedule, schedule_named

ROOT = Path(__file__).resolve().parent.parent.parent
PROCESSES = 20

WITHOUT_FACADES = """
import sys, types
for name in ("triort", "triort.testing"):  # the packages, without all that they import
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [name.replace(".", "/")]
    package.__file__ = package.__path__[0] + "/__init__.py"
from tests.testing.trio_program import tell_traces
tell_traces(int(sys.argv[1]))
"""


def traces_of_a_process(number: int) -> dict[str, object]:
    environment = os.environ | {"PYTHONHASHSEED": str(number * 7919 + 1), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WITHOUT_FACADES, str(number)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


@pytest.mark.processes
def test_twenty_processes_tell_one_trace_and_trio_by_itself_tells_many() -> None:
    with ThreadPoolExecutor(2) as two_at_a_time:
        told = list(two_at_a_time.map(traces_of_a_process, range(PROCESSES)))
    here = [traced(schedule_named(name, 5)) for name in ("random", "pct", "fifo")]
    assert [each["held"] for each in told] == [here] * PROCESSES
    assert len({str(each["free"]) for each in told}) > PROCESSES // 2, "the program has no races: it proves nothing"


@pytest.mark.parametrize("name", ["random", "pct"])
def test_other_seeds_tell_other_traces(name: str) -> None:
    traces = [traced(schedule_named(name, seed)) for seed in range(20)]
    assert len(set(traces)) == len(traces)


def test_a_recorded_schedule_replays_by_its_script() -> None:
    for name in ("random", "pct"):
        recorded = schedule_named(name, 11, record=True)
        trace = traced(recorded)
        script = json.loads(json.dumps(recorded.deviations), object_hook=lambda d: {int(k): v for k, v in d.items()})
        again = schedule_named("script", 0, script, record=True)
        assert traced(again) == trace
        assert again.deviations == recorded.deviations
        assert again.num_batches == recorded.num_batches > 50


def test_orders_tell_who_runs_first() -> None:
    for script, expected in (({}, [0, 1, 2, 3]), ({1: [2, 0, 3, 1]}, [2, 0, 3, 1])):
        ran: list[int] = []

        async def wake(i: int, ran: list[int] = ran) -> None:
            ran.append(i)

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                for i in range(4):
                    nursery.start_soon(wake, i)

        run(main, schedule=schedule_named("script", 0, script))
        assert ran == expected


def test_a_schedule_by_creation_deviates_nowhere() -> None:
    schedule = schedule_named("fifo", 0, record=True)
    assert traced(schedule) == traced(schedule_named("script", 0, {}))
    assert schedule.deviations == {}


def test_a_script_that_does_not_fit_is_left_out_and_counted() -> None:
    policy = Script({0: [1, 0], 3: [0, 0], 5: [4, 3, 2, 1, 0] * 100})
    assert traced(Schedule(policy)) == traced(schedule_named("fifo", 0))
    assert policy.num_misfits >= 2


def test_two_runs_in_one_process_are_equal_and_leave_the_global_random_alone() -> None:
    state = random.getstate()
    logs = []
    for _ in range(2):
        clock = SimClock()
        program = Program(clock)
        run(program.main, seed=3, clock=clock)
        logs.append(program.log)
    assert logs[0] == logs[1]
    assert digest(logs[0]) == digest(logs[1])
    assert random.getstate() == state


class OneAfterAnother:
    """What a naive policy does: it draws from one generator, batch by batch."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def order(self, batch: Sequence[object], number: int, now_s: float, turn: int) -> list[int]:
        return self.random.sample(range(len(batch)), len(batch))


def orders_by_instant(schedule: Schedule, extra_at: int | None) -> dict[float, list[int]]:
    """Groups of tasks that wake at the instants 1 to 30, and in which order they ran; one has more to do."""
    ran: dict[float, list[int]] = defaultdict(list)

    async def wake(instant: int, i: int) -> None:
        await trio.sleep_until(instant)
        if instant == extra_at:
            await trio.lowlevel.checkpoint()
        ran[instant].append(i)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for instant in range(1, 31):
                for i in range(40 if instant % 2 else 6):
                    nursery.start_soon(wake, instant, i)

    run(main, schedule=schedule)
    return ran


def test_a_change_at_one_instant_leaves_the_order_at_all_others_as_it_was() -> None:
    before = orders_by_instant(schedule_named("random", 7), extra_at=None)
    after = orders_by_instant(schedule_named("random", 7), extra_at=5)
    assert {instant for instant in before if before[instant] != after[instant]} == {5}
    naive = [orders_by_instant(Schedule(OneAfterAnother(7)), extra_at=extra) for extra in (None, 5)]
    assert sum(naive[0][instant] != naive[1][instant] for instant in range(6, 31)) > 20


@pytest.mark.parametrize("size", [2, 3, 30, 31])
def test_orders_are_drawn_evenly(size: int) -> None:
    policy = Shuffled(1)
    batch: list = [None] * size
    firsts = [policy.order(batch, 0, number / 8, number % 3)[0] for number in range(300 * size)]
    assert all(200 < firsts.count(position) < 400 for position in range(size))


def test_an_order_is_the_same_in_every_version() -> None:
    batch: list = [None] * 32
    assert list(Shuffled(3).order(batch[:2], 0, 1.5, 0)) == [1, 0]
    assert list(Shuffled(3).order(batch[:5], 9, 0.25, 2)) == [4, 1, 0, 2, 3]
    assert list(Shuffled(3).order(batch, 0, 1e-9, 70))[:6] == [20, 5, 9, 24, 29, 15]
