"""For how long a worker runs tasks before its loop looks: not long after a rest, if many wait, for the first result."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests._core.makers import make_attempt
from triort._core.links import Link
from triort._core.running import Running
from triort._model.limits import FEW_TASKS, FIRST_FLUSH_US, FLUSH_RESULTS_MAX, FLUSH_US
from triort._model.outcomes import OutcomeKind
from triort._node.execution import Execution
from triort._node.page import DONE, UNSENT
from triort._node.waits import Waits
from triort._wire import payload


class Desk:
    """What of a worker an execution asks for the end of a slice."""

    def __init__(self) -> None:
        self.now_us = 0
        self.results = 0
        self.core = SimpleNamespace(events=[], backlog=range(FEW_TASKS + 1))

    def clock_ns(self) -> int:
        return self.now_us * 1000


def make() -> tuple[Desk, Execution]:
    desk = Desk()
    stand_in: Any = desk
    return desk, Execution(stand_in)


def lasts(desk: Desk, execution: Execution) -> int:
    """After how many µs a slice that begins now is over."""
    execution.begin_slice()
    start = desk.now_us
    while not execution.is_slice_over:
        desk.now_us += 1
    return desk.now_us - start


def test_the_first_slice_after_a_rest_is_short_and_those_after_it_are_not() -> None:
    desk, execution = make()
    assert [lasts(desk, execution) for _ in range(3)] == [FIRST_FLUSH_US + 1, FLUSH_US + 1, FLUSH_US + 1]
    execution.has_rested = True
    assert [lasts(desk, execution) for _ in range(2)] == [FIRST_FLUSH_US + 1, FLUSH_US + 1]
    execution.has_rested = True
    desk.core.backlog = range(FEW_TASKS)
    assert [lasts(desk, execution) for _ in range(2)] == [FLUSH_US + 1, FLUSH_US + 1]


def test_a_slice_is_over_when_many_results_wait_or_there_is_something_to_be_done() -> None:
    desk, execution = make()
    execution.begin_slice()
    assert not execution.is_slice_over
    desk.results = FLUSH_RESULTS_MAX
    assert execution.is_slice_over
    desk.results = 0
    desk.core.events.append("a stop")
    assert execution.is_slice_over


def employ(desk: Desk) -> list[tuple[Any, ...]]:
    """Make the desk one where tasks can run; returns what the books are told of their ends."""
    told: list[tuple[Any, ...]] = []
    worker: Any = desk
    worker.done = 0
    worker.page = SimpleNamespace(words=[0] * 16)
    worker.conn = SimpleNamespace(store=None)
    worker.output = SimpleNamespace(end_task=lambda running: None)
    worker.enter = lambda running: None
    worker.leave = lambda: None
    worker.core = SimpleNamespace(
        events=[], next_task=lambda: None, returned=lambda running, *end: told.append(end),
        release_slot=lambda running: None, retake_slot=lambda running: None,
    )  # fmt: skip
    return told


def test_a_task_that_is_cancelled_before_its_start_has_taken_no_time() -> None:
    """The boss takes what it hears for the duration of the function."""
    desk, execution = make()
    desk.now_us = 10**9
    told = employ(desk)
    task = make_attempt(1)
    execution._next_sync = Running(task, task.address, cancelled=True)
    execution._run_batch()
    assert told == [(OutcomeKind.CANCELLED, b"", 1)]


@pytest.mark.parametrize("origin", [Link("boss", "boss", below=False), None], ids=["the boss's", "a child"])
def test_what_a_function_takes_is_measured_without_its_waits(origin: Link | None) -> None:
    """Of a child's end the boss is not told, so there is nothing to poke for."""
    desk, execution = make()
    told = employ(desk)
    worker: Any = desk
    waits = Waits(worker)
    task = make_attempt(1, origin=origin)
    running = Running(task, task.address)

    def work() -> None:
        for _ in range(2):
            desk.now_us += 30
            waits.begin(running)
            desk.now_us += 1_000
            waits.end(running)

    function = SimpleNamespace(call=work, is_async=False, cost_ns=0)
    worker.functions = SimpleNamespace(known=lambda digest: function, load_call=lambda attempt: ((), {}))
    execution._next_sync = running
    execution._run_batch()
    assert told == [(OutcomeKind.VALUE, payload.NONE, 60)]
    words = worker.page.words
    assert (function.cost_ns, worker.results, words[DONE]) == (60_000, 1, 1)
    assert words[UNSENT] == int(origin is not None)
