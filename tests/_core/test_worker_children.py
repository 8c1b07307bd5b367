"""A worker's books about cancels, lost children, deadlines and messages."""

from typing import Any

import pytest

from tests._core.makers import make_spec, outcomes, submit
from tests._core.worker_bench import CANCELLED, CRASHED, ERROR, TIMEOUT, Bench, out, own
from triort._core.running import Child, Heard, Running, Stop
from triort._model.ids import Address
from triort._model.messages import (
    Cancel,
    Lost,
    Outcomes,
    Talk,
    Want,
)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_cancel_of_a_running_task_stops_it_and_its_children(bench: Bench) -> None:
    parent = bench.run(1)
    child = bench.child(parent)
    bench.core.release_slot(parent)
    running = bench.start(child.attempt.address)
    bench.boss(Cancel([Address(1)]))
    assert bench.core.events == [Stop(running), Stop(parent)]
    bench.boss(Cancel([Address(1), Address(77)]))
    assert len(bench.core.events) == 2
    bench.end(running)
    bench.end(parent)
    assert bench.sent() == [out(1, kind=CANCELLED)]
    assert bench.is_empty()


def test_a_cancel_of_a_queued_task_is_answered_without_starting_it(bench: Bench) -> None:
    bench.boss(*submit(1))
    bench.boss(Cancel([Address(1)]))
    assert bench.core.next_task() is None
    assert bench.sent() == [out(1, kind=CANCELLED, duration_us=0)]


def test_a_cancel_of_a_child_whose_outcome_is_already_there_is_not_sent(bench: Bench) -> None:
    parent = bench.run(1)
    child = bench.child(parent)
    bench.boss(Want(1))
    bench.core.offer(keep=0)
    bench.sent()
    bench.boss(*outcomes(child.attempt.address))
    bench.core.cancel_child(child)
    assert bench.sent() == []
    assert (child.cancelled, bench.core.boss.cancelling) == (False, set())


def test_a_child_that_raises_is_tried_again_as_often_as_allowed(bench: Bench) -> None:
    parent = bench.run(1)
    child = bench.child(parent, 0, make_spec(depth=1, retries=1))
    bench.core.release_slot(parent)
    bench.end(bench.start(own(1)), ERROR)
    assert bench.settled() == []
    bench.end(bench.start(own(2)), ERROR)
    assert bench.settled() == [(0, ERROR)]
    assert child.retries == 1


def lost(address: int, *, blamed: bool = False, beside: bool = False) -> tuple[Lost, list[bytes]]:
    return Lost([Address(address)], [blamed], [0], [0] if beside else []), [b""]


def place(bench: Bench, parent: Running, **options: Any) -> Child:
    child = bench.child(parent, 0, make_spec(depth=1, **options))
    bench.boss(Want(1))
    bench.core.offer(keep=0)
    bench.sent()
    return child


def test_a_lost_child_gets_a_new_address_and_hears_the_same_again(bench: Bench) -> None:
    parent = bench.run(1)
    child = place(bench, parent)
    bench.core.talk_to_child(child, b"hi")
    assert bench.sent() == [Talk(own(1), 2)]
    bench.boss(*lost(own(1)))
    bench.core.release_slot(parent)
    running = bench.start(own(2))
    assert (running.messages, running.attempt.payload) == ([b"hi"], b"args")
    bench.boss(*outcomes(own(1)))
    assert bench.settled() == []


def test_a_child_that_was_to_blame_runs_alone(bench: Bench) -> None:
    child = place(bench, bench.run(1))
    bench.boss(*lost(own(1), blamed=True))
    assert (child.attempt.alone, child.crashes) == (True, 1)


def test_a_child_that_was_lost_twice_by_one_below_it_runs_alone(bench: Bench) -> None:
    child = place(bench, bench.run(1))
    for serial, beside, is_alone in ((1, True, False), (2, False, False), (3, True, True)):
        bench.boss(*lost(own(serial), beside=beside))
        assert (child.attempt.alone, child.crashes) == (is_alone, 0)
        bench.boss(Want(1))
        bench.core.offer(keep=0)


def test_a_child_is_crashed_when_it_was_to_blame_too_often(bench: Bench) -> None:
    parent = bench.run(1)
    place(bench, parent, crash_limit=2)
    for serial in (1, 2):
        bench.boss(*lost(own(serial), blamed=True))
        bench.boss(Want(1))
        bench.core.offer(keep=0)
    assert bench.settled() == [(0, CRASHED)]


def test_a_lost_child_that_may_run_once_only_is_crashed(bench: Bench) -> None:
    place(bench, bench.run(1), at_most_once=True)
    bench.boss(*lost(own(1)))
    assert bench.settled() == [(0, CRASHED)]


@pytest.mark.parametrize("answer", ["outcome", "loss"])
def test_a_child_beyond_its_deadline_has_timed_out_whatever_answers(bench: Bench, answer: str) -> None:
    parent = bench.run(1)
    bench.child(parent, 0, make_spec(depth=1, timeout_s=2.0), deadline=2.0)
    bench.boss(Want(1))
    bench.core.offer(keep=0)
    bench.sent()
    assert bench.core.next_deadline() == 2.0
    bench.core.now = 2.0
    bench.core.expire()
    assert bench.sent() == [Cancel([own(1)])]
    bench.boss(*(outcomes(own(1), kind=CANCELLED) if answer == "outcome" else lost(own(1))))
    assert bench.settled() == [(0, TIMEOUT)]
    assert bench.core.next_deadline() is None


def test_a_task_whose_deadline_has_passed_does_not_start(bench: Bench) -> None:
    bench.core.now = 10.0
    bench.boss(*submit(1, spec=make_spec(timeout_s=1.0), left={0: 1.0}))
    bench.core.now = 11.5
    assert bench.core.next_task() is None
    assert [message.kinds for message in bench.sent() if isinstance(message, Outcomes)] == [[TIMEOUT]]


def test_deadlines_of_children_that_have_ended_are_not_kept(bench: Bench) -> None:
    parent = bench.run(1)
    bench.core.release_slot(parent)
    for serial in range(1, 1_000):
        bench.child(parent, 0, deadline=1e6)
        bench.end(bench.start(own(serial)))
    assert len(bench.core._deadlines) < 200
    assert bench.core.next_deadline() is None


def test_messages_reach_queued_running_and_sent_children(bench: Bench) -> None:
    parent = bench.run(1)
    child = bench.child(parent)
    bench.core.talk_to_child(child, b"queued")
    bench.core.release_slot(parent)
    running = bench.start(own(1))
    bench.core.talk_to_child(child, b"running")
    assert running.messages == [b"queued", b"running"]
    assert bench.core.events == [Heard(running)]
    other = bench.child(parent, 1)
    bench.core.talk_to_child(other, b"early")
    bench.boss(Want(1))
    bench.core.offer(keep=0)
    bench.core.talk_to_child(other, b"late")
    sends = [send for send in bench.core.flush(idle=False) if isinstance(send.message, Talk)]
    assert [send.parts for send in sends] == [[b"early"], [b"late"]]


def test_messages_of_the_boss_wait_for_the_start(bench: Bench) -> None:
    bench.boss(*submit(1))
    bench.boss(Talk(Address(1), 2), [b"a"])
    running = bench.start(1)
    bench.boss(Talk(Address(1), 2), [b"b"])
    bench.boss(Talk(Address(9), 2), [b"c"])
    assert running.messages == [b"a", b"b"]
