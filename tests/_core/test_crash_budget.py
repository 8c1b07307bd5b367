"""How many workers a job may cost, how fast they are replaced, and what follows from each way to lose a task."""

from typing import Any

import msgspec
import pytest

from tests._core.makers import make_attempt, make_spec
from tests._core.test_jobs import CANCELLED, CRASHED, JOB, VALUE, Desk
from triort._core.crash_budget import CrashBudget, count_crash
from triort._core.links import Link, Loss
from triort._core.restarts import Restarts
from triort._core.retries import after_loss
from triort._core.watch import Watch
from triort._model.errors import OutOfMemory, TaskCrashed
from triort._model.limits import JOB_CRASHES_MAX, RESTART_DELAY_S, RESTART_WINDOW_S, RESTARTS_MAX
from triort._model.messages import JobAccepted, JobEnded, JobOutcomes
from triort._model.outcomes import Crash

SEGFAULT = msgspec.msgpack.encode(Crash("w3", 42, signal=11))
TOO_LARGE = msgspec.msgpack.encode(Crash("w3", 42, signal=9, out_of_memory=True))
ALONE_TOO_LARGE = msgspec.msgpack.encode(Crash("w3", 42, signal=9, out_of_memory=True, alone=True))


def settled(crash: bytes, crashes: int, *, alone: bool = False, **options: Any) -> Crash | None:
    """What the owner settles a blamed task with; None: it is tried again."""
    attempt = make_attempt(1, make_spec(**options), alone=alone)
    result = after_loss(attempt, Loss(attempt.address, True, crash), crashes, False)
    return None if result is None else msgspec.msgpack.decode(result.payload, type=Crash)


def test_a_budget_is_spent_once() -> None:
    budget = CrashBudget()
    assert not any(budget.spend(SEGFAULT) for _ in range(JOB_CRASHES_MAX))
    assert budget.verdict == b""
    assert budget.spend(b"nonsense of a peer")
    assert not budget.spend(SEGFAULT)
    last = msgspec.msgpack.decode(budget.verdict, type=Crash)
    assert last == Crash("unknown", workers_lost=JOB_CRASHES_MAX + 1)


def test_a_job_that_has_cost_too_many_workers_is_stopped_and_what_is_open_has_crashed() -> None:
    desk = Desk()
    desk.slow = True
    desk.submit(3)
    desk.end()
    for _ in range(JOB_CRASHES_MAX):
        count_crash(desk.books, JOB, SEGFAULT)
    assert desk.cancels == []
    count_crash(desk.books, JOB, SEGFAULT)
    assert len(desk.cancels) == 2
    desk.end(CANCELLED)
    desk.lose()
    size = len(msgspec.msgpack.encode(Crash("w3", 42, signal=11, workers_lost=JOB_CRASHES_MAX + 1)))
    assert desk.told() == [
        JobAccepted(1, JOB), JobOutcomes(JOB, [0, 1, 2], [VALUE, CRASHED, CRASHED], [1, size, size]), JobEnded(JOB),
    ]  # fmt: skip
    count_crash(desk.books, JOB, SEGFAULT)  # the last ones come when it is over
    assert desk.is_empty()


def test_an_item_that_was_to_blame_is_a_suspect_from_then_on() -> None:
    desk = Desk()
    desk.submit(1, retries=1)
    desk.lose()
    assert not desk.placed[0].alone
    desk.lose(SEGFAULT, blamed=True)
    assert desk.placed[0].alone
    desk.lose()
    assert desk.placed[0].alone
    desk.end(1)
    assert desk.placed[0].alone


def test_a_task_is_given_up_when_it_was_to_blame_too_often() -> None:
    assert settled(SEGFAULT, 1, crash_limit=2) is None
    assert settled(SEGFAULT, 2, crash_limit=2, alone=True) == Crash("w3", 42, signal=11, attempts=2)
    assert settled(SEGFAULT, 1, at_most_once=True) == Crash("w3", 42, signal=11)


def test_a_task_that_takes_too_much_memory_gets_one_more_attempt_which_is_alone() -> None:
    assert settled(TOO_LARGE, 1) is None
    assert settled(TOO_LARGE, 2, alone=True, crash_limit=10) is None  # it was to be alone, and had others beside it
    too_large = settled(ALONE_TOO_LARGE, 2, crash_limit=10)
    assert too_large == Crash("w3", 42, signal=9, out_of_memory=True, alone=True, attempts=2)
    assert settled(TOO_LARGE, 1, crash_limit=1) is not None
    assert settled(TOO_LARGE, 1, at_most_once=True) is not None
    assert settled(SEGFAULT, 2, alone=True) is None


@pytest.mark.parametrize(("memory", "limit", "kill"), [(10, 0, False), (10, 10, False), (11, 10, True), (0, 10, False)])
def test_a_worker_beyond_its_limit_is_killed_if_there_is_one(memory: int, limit: int, kill: bool) -> None:
    assert Watch(Link("w", "w")).is_too_large(memory, limit) is kill


def test_workers_are_replaced_at_once_until_too_many_have_died_within_the_window() -> None:
    restarts = Restarts()
    assert [restarts.note(0.0) for _ in range(RESTARTS_MAX + 1)] == [0.0] * RESTARTS_MAX + [RESTART_DELAY_S]
    assert "workers lost" in restarts.news(0.0)
    restarts.note(1.0)
    assert restarts.news(1.0) == ""
    later = RESTART_WINDOW_S + 1.1
    assert [restarts.note(later) for _ in range(RESTARTS_MAX)] == [0.0] * RESTARTS_MAX
    assert restarts.news(later) == ""
    restarts.note(later)
    assert "workers lost" in restarts.news(later)


def test_what_is_told_of_a_crash() -> None:
    crash = Crash("m.w3", 42, signal=11, memory_bytes=300 << 20, attempts=3, stderr_tail="one\ntwo")
    assert str(TaskCrashed("work", crash)).splitlines() == [
        "task work crashed: worker m.w3 (pid 42) ended by signal 11 (SIGSEGV) after 3 attempts, using 300 MiB; its"
        " last words:",
        "    one",
        "    two",
    ]
    plain = str(TaskCrashed("work", Crash("m.w3", 42, exit_code=7)))
    assert plain == "task work crashed: worker m.w3 (pid 42) ended by exit code 7 after 1 attempt"
    too_large = Crash("m.w3", 42, signal=9, memory_bytes=300 << 20, attempts=2, out_of_memory=True)
    assert str(OutOfMemory("work", too_large)) == (
        "task work took too much memory: worker m.w3 (pid 42) had 300 MiB and was killed after 2 attempts"
    )
    too_many = Crash("m.w3", 42, signal=9, workers_lost=101)
    assert str(TaskCrashed("work", too_many)) == (
        "task work was stopped, for its job has cost 101 workers; the last one: worker m.w3 (pid 42) ended by signal 9 "
        "(SIGKILL)"
    )
