"""Manager and server books: placing, receipts, offers and recalls, cancels, ends of links, forgetting."""

import math

import pytest

from tests._core.makers import BOSS, FN, JOB, Node, blobs, make_spec, one, outcomes, own, returned, submit
from triort._core.node_core import Direction
from triort._model.errors import ProtocolError
from triort._model.ids import Address, Digest
from triort._model.limits import FORGET_BYTES, FORGET_S
from triort._model.messages import (
    Blobs,
    Cancel,
    Forget,
    Lost,
    Outcomes,
    Shutdown,
    Submit,
    Talk,
    Update,
    Waiting,
    Want,
)
from triort._model.outcomes import OutcomeKind

CANCELLED = int(OutcomeKind.CANCELLED)


def test_tasks_from_above_go_to_idle_workers_and_the_boss_can_count_for_itself() -> None:
    node = Node(2)
    assert node.above(*submit(1, 2)) == [("w0", one(1, 1)), ("w1", one(1, 2))]


def test_what_nobody_has_room_for_waits_and_is_reported() -> None:
    node = Node(1)
    assert node.above(*submit(1, 2, 3)) == [("w0", one(1, 1)), (BOSS, Update(0, 2))]
    assert node.below("w0", Waiting(1, 1)) == [("w0", one(2, 2))]


def test_a_worker_is_idle_with_the_end_of_its_last_task() -> None:
    node = Node(1)
    node.above(*submit(1))
    assert node.below("w0", *outcomes(1)) == [
        (BOSS, Outcomes(1, [Address(1)], [0], [100], [1])), (BOSS, Waiting(1, 1, 1))
    ]  # fmt: skip
    assert node.below("w0", Waiting(1, 1)) == []


def test_a_worker_with_tasks_left_is_idle_when_it_says_so() -> None:
    """They wait for their children, or have not started."""
    node = Node(1)
    node.core.placement.measure(FN, 100)
    node.above(*submit(1, 2))
    assert node.below("w0", *outcomes(1)) == [(BOSS, Outcomes(1, [Address(1)], [0], [100], [1]))]
    assert node.below("w0", Waiting(1, 1)) == [(BOSS, Waiting(1, 1, 1))]


def test_a_worker_that_hands_back_all_that_it_has_is_idle() -> None:
    node = Node(1)
    node.above(*submit(1))
    assert node.below("w0", returned(1, 1), [b"1"]) == [("w0", one(2, 1))]


def test_a_manager_without_tasks_is_idle_when_it_says_so() -> None:
    node = Node(0, managers=[2])
    node.above(*submit(1))
    node.below("m0", *outcomes(1))
    assert node.employee("m0").num_idle_workers == 1


def test_an_idle_count_that_crosses_a_batch_on_its_way_is_corrected() -> None:
    node = Node(0, managers=[4])
    node.above(*submit(1, 2))
    node.core.handle_waiting("m0", 4, read_receipt=0)
    assert node.core.num_idle_workers == 2
    node.core.handle_waiting("m0", 2, read_receipt=1)
    assert node.core.num_idle_workers == 2
    node.core.handle_waiting("m0", 9, read_receipt=1)
    assert node.core.num_idle_workers == 4
    node.core.handle_waiting("m0", 1)
    assert node.core.num_idle_workers == 1


def test_an_idle_count_that_crosses_results_on_their_way_is_corrected() -> None:
    node = Node(2)
    node.above(*submit(1))
    node.below("w0", *submit(own(0, 1), parents=[1]))
    node.below("w0", Waiting(1, 1))
    assert node.below("w1", *outcomes(own(0, 1)))[0] == ("w0", Outcomes(2, [own(0, 1)], [0], [100], [1]))
    node.core.handle_waiting("w0", 1, read_receipt=1)
    assert node.employee("w0").num_idle_workers == 0
    node.core.handle_waiting("w0", 1, read_receipt=2)
    assert node.employee("w0").num_idle_workers == 1


def test_a_worker_whose_tasks_have_all_ended_has_read_the_results_for_them() -> None:
    node = Node(2)
    node.above(*submit(1))
    node.below("w0", *submit(own(0, 1), parents=[1]))
    node.below("w1", *outcomes(own(0, 1)))
    assert node.link("w0").results_unread == 1
    node.below("w0", *outcomes(1))
    assert (node.link("w0").results_unread, node.employee("w0").num_idle_workers) == (0, 1)


def test_after_results_from_above_the_idle_count_is_told_again() -> None:
    node = Node(2)
    node.above(*submit(1))
    node.above(Want(1))
    node.core.employees[1].num_idle_workers = 0
    node.below("w0", *submit(own(0, 1), parents=[1]))
    node.core.employees[1].num_idle_workers = 1
    node.sent()
    assert node.above(*outcomes(own(0, 1), batch=2)) == [
        ("w0", Outcomes(2, [own(0, 1)], [0], [100], [1])), (BOSS, Waiting(1, 2, 2))
    ]  # fmt: skip


def test_nothing_goes_up_before_the_start_is_reported() -> None:
    node = Node(0)
    node.core.set_boss(BOSS, BOSS, 0, 2**30)
    node.hire("w0", 1)
    assert [conn for conn, _ in node.sent()] == ["w0"]


def test_a_worker_that_joins_or_leaves_changes_the_number_above() -> None:
    node = Node(1)
    node.hire("w1", 1)
    assert (BOSS, Waiting(2, 0, 2)) in node.sent()
    node.core.handle_disconnect("w0")
    assert node.sent() == [(BOSS, Waiting(1, 0, 1))]


def test_a_manager_that_has_lost_its_workers_hands_back_what_it_was_given() -> None:
    node = Node(1)
    node.above(*submit(1, 2))
    node.core.handle_disconnect("w0")
    lost = Lost([Address(1)], [False], [0])
    assert node.sent() == [(BOSS, returned(1, 2)), (BOSS, lost), (BOSS, Waiting(0, 1, 0)), (BOSS, Update(0, 0))]


def test_offers_go_to_idle_workers_here_first_and_up_as_far_as_the_boss_wants() -> None:
    node = Node(2)
    node.above(*submit(1))
    node.above(Want(1))
    spec = make_spec(depth=1)
    here, up, left = own(0, 1), own(0, 2), own(0, 3)
    sent = node.below("w0", *submit(here, up, left, parents=[1, 1, 1], spec=spec))
    assert [(c, m) for c, m in sent if isinstance(m, Submit)] == [
        ("w1", submit(here, spec=spec)[0]),
        (BOSS, submit(up, spec=spec, parents=[1])[0]),
    ]
    assert [int(attempt.address) for attempt in node.core.backlog] == [left]


def test_a_manager_passes_up_the_ancestor_that_its_boss_knows() -> None:
    node = Node(2)
    node.above(*submit(1))
    node.below("w0", *submit(own(0, 1), parents=[1]))
    node.above(Want(1))
    sent = node.below("w1", *submit(own(1, 1), parents=[own(0, 1)]))
    assert [m.parents for c, m in sent if isinstance(m, Submit)] == [[1]]


def test_what_came_from_above_never_goes_up_as_new() -> None:
    node = Node(1)
    node.above(*submit(1, 2, 3))
    assert [message for _, message in node.above(Want(5)) if isinstance(message, Submit)] == []


def test_a_cancel_goes_to_each_link_that_has_the_task() -> None:
    node = Node(2)
    node.above(*submit(1))
    node.core.broadcast_cancel(Address(1))
    assert node.sent() == [("w0", Cancel([Address(1)]))]
    node.core.broadcast_cancel(Address(1))
    node.core.broadcast_cancel(Address(7))
    assert node.sent() == []


def test_a_cancel_that_races_with_the_outcome_is_answered_by_it() -> None:
    node = Node(1)
    node.above(*submit(1))
    assert node.above(Cancel([Address(1)])) == [("w0", Cancel([Address(1)]))]
    assert node.below("w0", *outcomes(1))[0] == (BOSS, Outcomes(1, [Address(1)], [0], [100], [1]))
    assert node.above(Cancel([Address(1)])) == []
    assert node.below("w0", *outcomes(1)) == []
    assert node.link("w0").cancelling == set()


def test_a_cancel_that_races_with_a_return_ends_the_task_here() -> None:
    node = Node(1)
    node.above(*submit(1))
    node.above(Cancel([Address(1)]))
    assert node.below("w0", returned(1, 1), [b"1"])[0] == (BOSS, Outcomes(1, [Address(1)], [CANCELLED], [0], [0]))
    assert len(node.core.backlog) == 0


def test_a_task_says_again_what_was_said_to_it_when_it_is_placed_again() -> None:
    node = Node(1)
    node.above(*submit(1))
    node.below("w0", Waiting(0, 1))
    assert node.above(Talk(Address(1), 2), [b"hi"]) == [("w0", Talk(Address(1), 2))]
    assert node.below("w0", returned(1, 1), [b"1"]) == [("w0", one(2, 1)), ("w0", Talk(Address(1), 2))]


def test_a_message_to_a_waiting_task_waits_with_it() -> None:
    node = Node(1)
    node.above(*submit(1, 2))
    assert node.above(Talk(Address(2), 2), [b"hi"]) == []
    assert node.above(Talk(Address(9), 2), [b"hi"]) == []
    assert node.below("w0", Waiting(1, 1))[:2] == [("w0", one(2, 2)), ("w0", Talk(Address(2), 2))]


def test_a_forgotten_job_leaves_nothing_here_and_soon_nothing_below() -> None:
    node = Node(2)
    node.above(*submit(1))
    node.below("w0", *outcomes(1))
    node.core.forget(JOB)
    assert node.sent() == []
    assert (node.core.hops.blobs, node.link("w0").known) == ({}, {})
    assert node.core.boss is not None
    assert node.core.boss.known == {}
    node.core.now = node.core.next_deadline()
    assert node.core.now == FORGET_S
    assert [(c, m) for c, m in node.sent() if isinstance(m, Forget)] == [("w0", Forget([JOB])), ("w1", Forget([JOB]))]
    assert node.core.next_deadline() == math.inf


def test_a_forgotten_job_is_told_with_what_is_told_next() -> None:
    node = Node(2)
    node.core.forget(JOB)
    node.above(*blobs())
    assert node.above(*submit(1))[-1] == ("w0", Forget([JOB]))


def test_a_job_of_large_blobs_is_forgotten_at_once() -> None:
    node = Node(1)
    node.above(Blobs(JOB, [Digest(b"large")], [FORGET_BYTES]), [bytes(FORGET_BYTES)])
    node.core.forget(JOB)
    assert node.sent() == [("w0", Forget([JOB]))]


def test_what_the_boss_says_of_ended_jobs_goes_on_at_once() -> None:
    node = Node(1)
    assert node.above(Forget([JOB])) == [("w0", Forget([JOB]))]


def test_blobs_are_kept_for_those_below_and_not_sent_back() -> None:
    node = Node(1)
    node.link("w0").known.clear()
    message, parts = blobs()
    node.above(message, parts)
    assert node.above(*submit(1)) == [("w0", Blobs(JOB, [FN], [4])), ("w0", one(1, 1))]


def test_ids_lead_to_the_employee_that_is_responsible() -> None:
    node = Node(2)
    assert node.core.get_employee_responsible_for(2).name == "w1"
    assert (node.core.is_my_worker(0), node.core.is_my_worker(2**30)) == (True, False)
    with pytest.raises(KeyError, match="no employee responsible for worker 77"):
        node.core.get_employee_responsible_for(77)


def test_a_message_from_the_wrong_side_is_the_peers_fault() -> None:
    node = Node(1)
    with pytest.raises(ProtocolError, match="w0 may not send Want"):
        node.core.handle_message(Want(1), Direction.BELOW, "w0", ())
    with pytest.raises(ProtocolError, match="boss may not send Returned"):
        node.core.handle_message(returned(1, 1), Direction.ABOVE, BOSS, ())


def test_a_shutdown_goes_to_all_employees() -> None:
    node = Node(2)
    assert node.above(Shutdown()) == [("w0", Shutdown()), ("w1", Shutdown())]
    assert node.core.running is False
