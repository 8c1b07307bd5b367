"""What a boss does about a worker that is busy."""

import pytest

from tests._core.makers import make_attempt
from triort._core.links import Link
from triort._core.watch import Action, Glance, Watch
from triort._model.ids import Address
from triort._model.limits import GRACE_S, POKE_S

POKE, RECALL, KILL = Action.POKE, Action.RECALL, Action.KILL


@pytest.fixture
def watch() -> Watch:
    return Watch(Link("w", "w"))


def look(
    watch: Watch,
    *,
    task: int = 1,
    steps: int = 1,
    read: int = 0,
    now: float = 0.0,
    deadline: float = 0.0,
    idle: int = 0,
    queued: int = 0,
    done: int = 0,
) -> list[Action]:
    return watch.decide(now, now, Glance(task, task, steps, read, deadline, queued=queued, done=done), idle)


def test_a_worker_with_nothing_on_the_cpu_is_left_alone(watch: Watch) -> None:
    watch.mail_sent = 5
    watch.link.cancelling.add(Address(1))
    assert [look(watch, task=0, idle=3) for _ in range(3)] == [[], [], []]


def test_mail_that_has_waited_between_two_looks_is_worth_a_poke(watch: Watch) -> None:
    watch.mail_sent = 1
    assert look(watch, steps=1) == []
    assert look(watch, steps=2) == [POKE]
    assert look(watch, steps=3, read=1) == []


def test_fresh_mail_is_worth_a_poke_when_one_task_keeps_idle_workers_waiting(watch: Watch) -> None:
    look(watch)
    watch.mail_sent = 1
    assert look(watch, idle=1) == [POKE]
    watch.link.place(make_attempt(1))
    watch.link.place(make_attempt(2))
    assert look(watch, idle=1) == [POKE, RECALL]


def test_a_deadline_that_has_passed_is_worth_a_poke(watch: Watch) -> None:
    assert look(watch, now=1.0, deadline=2.0) == []
    assert look(watch, now=2.0, deadline=2.0) == [POKE]


def test_a_cancel_that_is_not_answered_ends_in_a_kill(watch: Watch) -> None:
    watch.link.cancelling.add(Address(1))
    assert look(watch, now=10.0) == [POKE]
    assert look(watch, now=10.0 + GRACE_S - POKE_S) == [POKE]
    assert look(watch, now=10.0 + GRACE_S) == [KILL]


def test_the_grace_time_starts_anew_for_another_task(watch: Watch) -> None:
    watch.link.cancelling |= {Address(1), Address(2)}
    look(watch, now=0.0)
    look(watch, task=0, now=1.0)
    assert look(watch, task=2, now=GRACE_S) == [POKE]


def test_tasks_behind_a_long_one_are_recalled_once_and_again_when_more_were_sent(watch: Watch) -> None:
    watch.link.place(make_attempt(1))
    watch.link.place(make_attempt(2))
    assert [look(watch, idle=1) for _ in range(3)] == [[], [RECALL], []]
    watch.link.batch_sent += 1
    assert [look(watch, idle=1) for _ in range(2)] == [[RECALL], []]
    assert [look(watch, steps=2, idle=1) for _ in range(2)] == [[], [RECALL]]


def test_nothing_is_recalled_while_nobody_is_idle(watch: Watch) -> None:
    assert [look(watch, queued=1) for _ in range(3)] == [[], [], []]


def test_nothing_is_recalled_from_behind_a_task_that_has_nothing_behind_it(watch: Watch) -> None:
    watch.link.place(make_attempt(1))
    assert [look(watch, idle=1) for _ in range(3)] == [[], [], []]


def test_what_waits_behind_an_async_task_that_waits_for_something_outside_is_recalled(watch: Watch) -> None:
    watch.link.place(make_attempt(1))
    watch.link.place(make_attempt(2))
    assert [look(watch, task=0, steps=step, idle=1, queued=1) for step in range(3)] == [[], [RECALL], []]
    watch.link.batch_sent += 1
    assert look(watch, task=0, queued=1) == []
    assert look(watch, task=0, idle=1, queued=1) == [RECALL]
    assert [look(watch, task=0, idle=1, queued=1, done=done) for done in (1, 2, 3)] == [[], [], []]
    assert [look(watch, task=0, idle=1, queued=queued, done=3) for queued in (0, 1, 0)] == [[], [], []]


def test_what_a_long_task_itself_has_submitted_is_taken_from_it(watch: Watch) -> None:
    watch.link.place(make_attempt(1))
    assert [look(watch, idle=1, queued=queued) for queued in (0, 0, 1, 1)] == [[], [], [RECALL], []]
