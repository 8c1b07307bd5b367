"""What a node does with an employee whose link has no connection for a while."""

from __future__ import annotations

from collections.abc import Sequence

from tests._core.makers import BOSS, SPEC, Node, submit
from triort._core.stalls import note_stall
from triort._model.messages import StatusReply, StatusRequest, Submit, Update, Waiting, Want


def submitted(sent: Sequence[tuple[object, object]]) -> list[tuple[object, list[int]]]:
    return [(conn, list(each.addresses)) for conn, each in sent if isinstance(each, Submit)]


def test_nothing_new_is_placed_on_a_broken_link_and_all_of_it_when_it_is_back() -> None:
    node = Node(0, managers=[1, 2])
    note_stall(node.core, "m1", True)
    assert submitted(node.above(*submit(1, 2, 3))) == [("m0", [1])]
    assert node.core.num_idle_workers == 0
    note_stall(node.core, "m1", False)
    assert submitted(node.sent()) == [("m1", [2, 3])]


def test_a_measured_function_does_not_queue_on_a_broken_link_either() -> None:
    node = Node(0, managers=[1, 1])
    node.core.placement.measure(SPEC.function, 10)
    note_stall(node.core, "m1", True)
    assert {conn for conn, _ in submitted(node.above(*submit(*range(1, 50))))} == {"m0"}


def test_the_boss_hears_that_there_are_fewer_idle_workers_and_that_they_are_back() -> None:
    node = Node(0, managers=[4, 4])
    note_stall(node.core, "m0", True)
    note_stall(node.core, "m0", True)
    assert node.sent() == [(BOSS, Waiting(4, 0, 8))]
    note_stall(node.core, "m0", False)
    note_stall(node.core, "m0", False)
    assert node.sent() == [(BOSS, Waiting(8, 0, 8))]


def test_what_the_employee_says_afterwards_counts() -> None:
    node = Node(0, managers=[4])
    note_stall(node.core, "m0", True)
    note_stall(node.core, "m0", False)
    node.below("m0", Waiting(1, 0))
    assert node.core.num_idle_workers == 1


def test_what_was_read_last_before_the_break_counts_after_it() -> None:
    node = Node(0, managers=[4])
    note_stall(node.core, "m0", True)
    node.below("m0", Waiting(1, 0))
    assert node.core.num_idle_workers == 0
    note_stall(node.core, "m0", False)
    assert node.core.num_idle_workers == 1


def test_a_broken_link_is_not_asked_for_tasks() -> None:
    node = Node(0, managers=[1, 1])
    node.above(*submit(1, 2))
    note_stall(node.core, "m0", True)
    node.below("m0", Update(0, 5))
    assert [each for each in node.below("m1", Waiting(1, 1)) if isinstance(each[1], Want)] == []


def test_the_status_does_not_wait_for_it_and_names_it() -> None:
    node = Node(0, managers=[4, 4])
    assert node.above(StatusRequest(1)) == [("m0", StatusRequest(1)), ("m1", StatusRequest(1))]
    note_stall(node.core, "m0", True)
    node.below("m1", StatusReply(1, node.core.status_desk.status({})))
    assert node.core.status_desk.rounds == {}
    assert node.above(StatusRequest(2)) == [("m1", StatusRequest(2))]
    states = [each.state for each in node.core.status_desk.status({}).employees]
    assert states == ["stalled", ""]


def test_the_end_of_a_broken_link_is_as_any_other() -> None:
    node = Node(0, managers=[1, 1])
    node.above(*submit(1, 2))
    note_stall(node.core, "m0", True)
    node.core.handle_disconnect("m0")
    note_stall(node.core, "m0", False)
    assert [employee.name for employee in node.core.employees] == ["m1"]
    assert node.core.num_idle_workers == 0  # and the other one has lost nothing


def test_what_is_behind_a_broken_link_is_not_told_as_tasks_without_a_place() -> None:
    node = Node(0, managers=[1, 1])
    for name in ("m0", "m1"):
        node.below(name, Waiting(0, 0))
    assert (BOSS, Update(0, 5)) in node.below("m0", Update(0, 5))
    note_stall(node.core, "m0", True)
    asked = node.above(Want(0, 2))
    assert [each for conn, each in asked if conn == BOSS and isinstance(each, Update)] == [Update(0, 0, True)]
    note_stall(node.core, "m0", False)
    assert Update(0, 5) in [each for conn, each in node.sent() if conn == BOSS]
