"""A worker's books: what starts next, what is offered, when a task has really ended."""

import pytest

from tests._core.makers import FN, JOB, SPEC, make_spec, outcomes, submit
from tests._core.worker_bench import CANCELLED, CHILD, VALUE, Bench, out, own
from triort._core.attempts import Result
from triort._model.errors import ProtocolError
from triort._model.ids import Address
from triort._model.limits import LARGE_OUTCOME_S, SMALL_OUTCOME_BYTES_MAX
from triort._model.messages import (
    Cancel,
    Forget,
    Outcomes,
    Returned,
    Shutdown,
    StatusRequest,
    Submit,
    Update,
    Waiting,
    Want,
)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_task_runs_and_its_outcome_goes_to_the_boss(bench: Bench) -> None:
    running = bench.run(1)
    assert (bench.core.occupied, bench.core.next_task()) == (1, None)
    bench.end(running)
    assert bench.sent(idle=True) == [out(1)]
    assert bench.sent(idle=True) == []
    assert (bench.core.occupied, bench.is_empty()) == (0, True)


def test_an_idle_worker_says_so_where_tasks_wait_for_others_or_a_large_outcome_is_on_its_way(bench: Bench) -> None:
    parent = bench.run(1)
    bench.core.release_slot(parent)
    assert bench.sent(idle=True) == [Waiting(1, 1)]
    bench.core.returned(parent, VALUE, bytes(SMALL_OUTCOME_BYTES_MAX + 1), 7)
    small = bench.run(2)
    bench.end(small)
    assert [type(message) for message in bench.sent(idle=True)] == [Outcomes, Waiting]
    bench.core.now += LARGE_OUTCOME_S
    bench.end(bench.run(3))
    assert bench.sent(idle=True) == [out(3, batch=2)]


def test_the_deepest_task_starts_first_and_only_when_the_slot_is_free(bench: Bench) -> None:
    parent = bench.run(1)
    bench.boss(*submit(2, batch=2))
    child = bench.child(parent)
    assert bench.core.next_task() is None
    bench.core.release_slot(parent)
    bench.core.release_slot(parent)
    first = bench.start(child.attempt.address)
    assert (first.root, bench.core.occupied) == (1, 1)
    bench.end(first)
    bench.core.retake_slot(parent)
    assert bench.core.occupied == 1
    assert bench.settled() == [(0, VALUE)]


def test_a_task_has_ended_only_when_its_children_have(bench: Bench) -> None:
    parent = bench.run(1)
    local, waiting, away = (bench.child(parent, index) for index in range(3))
    bench.boss(Want(1))
    bench.core.offer(keep=1)
    assert local.attempt.target is not None
    bench.core.release_slot(parent)
    running = bench.start(waiting.attempt.address)
    bench.end(parent)
    assert bench.settled() == [(2, CANCELLED)]
    assert [type(message) for message in bench.sent()] == [Submit, Cancel]
    bench.end(running)
    assert bench.sent() == []
    bench.boss(*outcomes(local.attempt.address, batch=2, kind=CANCELLED))
    assert bench.settled() == [(1, CANCELLED), (0, CANCELLED)]
    assert bench.sent() == [out(1, batch=2)]
    assert (away.cancelled, bench.is_empty()) == (True, True)


def test_a_task_that_returns_with_only_queued_children_ends_once(bench: Bench) -> None:
    parent = bench.run(1)
    for index in range(3):
        bench.child(parent, index)
    bench.end(parent)
    assert bench.settled() == [(0, CANCELLED), (1, CANCELLED), (2, CANCELLED)]
    assert bench.sent() == [out(1)]
    assert bench.is_empty()


def test_offers_are_the_shallowest_and_keep_one(bench: Bench) -> None:
    parent = bench.run(1)
    deep = bench.child(parent, 0, make_spec(depth=2))
    first, second = bench.child(parent, 1), bench.child(parent, 2)
    bench.boss(Want(5))
    bench.core.offer(keep=1)
    assert bench.sent() == [Submit(1, [CHILD], [own(2), own(3)], [0, 0], [4, 4], {}, [Address(1), Address(1)])]
    assert (bench.core.want, list(bench.core.backlog)) == (3, [deep.attempt])
    assert first.attempt.payload == second.attempt.payload == b"args"
    bench.core.offer(keep=0)
    assert [type(message) for message in bench.sent()] == [Submit]


def test_offers_that_crossed_the_end_of_a_window_are_counted_in_the_next_one(bench: Bench) -> None:
    parent = bench.run(1)
    for index in range(8):
        bench.child(parent, index)
    bench.boss(Want(6))
    bench.core.offer(keep=0)
    bench.boss(Want(-5))  # sent before its boss had heard of the last five
    assert bench.core.want == -5
    for _ in range(2):
        bench.boss(Want(3))
        bench.core.offer(keep=0)
    assert [len(message.addresses) for message in bench.sent() if isinstance(message, Submit)] == [7]


def test_offers_are_found_behind_tasks_that_the_boss_has_given(bench: Bench) -> None:
    parent = bench.run(1)
    bench.boss(*submit(2, batch=2))
    bench.child(parent)
    bench.boss(Want(5))
    bench.core.offer(keep=0)
    assert [message.addresses for message in bench.sent() if isinstance(message, Submit)] == [[own(1)]]


def test_nothing_is_left_of_what_has_been_sent(bench: Bench) -> None:
    for number in range(1, 4):
        bench.end(bench.run(number))
        assert bench.sent() == [out(number, batch=number)]
    assert bench.core.boss.touched == []


def test_a_recall_hands_back_what_the_boss_gave_and_has_not_started(bench: Bench) -> None:
    parent = bench.run(1)
    bench.child(parent)
    bench.boss(*submit(2, 3, batch=2))
    bench.boss(Want(0, 9))
    assert bench.sent() == [Returned(1, [SPEC], [Address(2), Address(3)], [0, 0], [1, 1])]
    assert list(bench.core.boss.received) == [1]


def test_a_child_that_went_up_may_come_back_down(bench: Bench) -> None:
    parent = bench.run(1)
    child = bench.child(parent)
    bench.boss(Want(1))
    bench.core.offer(keep=0)
    bench.sent()
    bench.core.release_slot(parent)
    address = child.attempt.address
    running = bench.run(address)
    assert running.root == address
    bench.end(running)
    assert bench.sent() == [out(address, batch=2)]
    assert bench.settled() == []
    bench.boss(*outcomes(address, batch=3))
    assert bench.settled() == [(0, VALUE)]


def test_the_number_of_tasks_is_told_at_rest_or_when_it_has_changed_much(bench: Bench) -> None:
    parent = bench.run(1)
    for index in range(3):
        bench.child(parent, index)
    bench.boss(Want(1))
    bench.core.offer(keep=0)
    assert [type(message) for message in bench.sent()] == [Submit]
    assert bench.sent(idle=True) == [Waiting(1, 1), Update(2, 0)]


def test_a_forgotten_job_leaves_nothing(bench: Bench) -> None:
    bench.boss(Forget([JOB]))
    assert (bench.core.hops.blobs, bench.core.boss.known) == ({}, {})


def test_a_shutdown_is_noted_and_anything_unknown_refused(bench: Bench) -> None:
    bench.boss(Shutdown())
    assert bench.core.shutting_down
    with pytest.raises(ProtocolError, match="a boss may not send StatusRequest to a worker"):
        bench.boss(StatusRequest(1))


def test_results_are_values(bench: Bench) -> None:
    bench.end(bench.run(1))
    (result,) = bench.core.boss.out_results
    assert isinstance(result, Result)
    assert (result.address, result.payload, FN in bench.core.hops.blobs[JOB]) == (1, b"v", True)
