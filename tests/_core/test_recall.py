"""Tasks that have no place where they are: asked back, handed on, answered for."""

from tests._core.makers import BOSS, FN, Node, make_attempt, one, outcomes, returned, submit
from triort._core.demand import ANSWER_S
from triort._model.limits import OFFERS_MIN
from triort._model.messages import (
    Update,
    Waiting,
    Want,
)

ANSWER_0, ANSWER_1 = Update(0, 0, True), Update(0, 1, True)


def test_the_boss_takes_back_what_has_no_place_here() -> None:
    node = Node(1)
    node.above(*submit(1, 2, 3))
    assert node.above(Want(0, 1)) == [(BOSS, returned(1, 2)), (BOSS, ANSWER_1)]
    assert node.above(Want(0, 5)) == [(BOSS, returned(2, 3)), (BOSS, ANSWER_0)]
    assert len(node.core.backlog) == 0


def test_that_fewer_tasks_have_no_place_is_told_to_whoever_asks_for_them() -> None:
    """To tell it each time costs a message for about every task, and nobody may ever ask."""
    node = Node(1)
    assert node.above(*submit(1, 2, 3, 4, 5)) == [("w0", one(1, 1)), (BOSS, Update(0, 4))]
    for address in (2, 3, 4):
        assert node.below("w0", Waiting(1, address - 1)) == [("w0", one(address, address))]
    assert node.above(Want(0, 4)) == [(BOSS, returned(1, 5)), (BOSS, ANSWER_0)]


def test_idle_workers_get_what_has_no_place_in_a_sibling_subtree() -> None:
    node = Node(1, boss=False, managers=[1])
    node.core.placement.measure(FN, 1500)
    node.core.schedule_tasks([])
    for address in (1, 2, 3):
        node.core.employees[1].link.place(make_attempt(address))
    node.employee("m0").num_idle_workers = 0
    node.sent()
    assert node.below("m0", Update(0, 2)) == [("m0", Want(0, 1))]
    assert node.below("w0", Waiting(1, 0)) == []
    assert node.below("m0", returned(1, 2), [b"2"]) == [("w0", one(1, 2))]


def test_a_manager_asks_below_for_what_it_lacks() -> None:
    node = Node(0, managers=[1, 1])
    node.employee("m0").num_idle_workers = node.employee("m1").num_idle_workers = 0
    node.below("m1", Update(0, 3))
    assert node.above(Want(0, 2)) == [("m1", Want(0, 2))]
    assert node.below("m1", ANSWER_1) == [("m1", Want(0, 1))]
    assert node.below("m1", ANSWER_0) == [(BOSS, ANSWER_0)]


def test_what_the_boss_has_asked_for_is_not_reported_to_it_again() -> None:
    """One manager was asked and has not answered, another one has more: the boss would ask for that again, for ever."""
    node = Node(0, managers=[1, 1])
    node.employee("m0").num_idle_workers = node.employee("m1").num_idle_workers = 0
    node.below("m0", Update(0, 1))
    assert node.above(Want(0, 1)) == [("m0", Want(0, 1))]
    assert node.below("m1", Update(0, 1)) == []
    assert node.below("m0", ANSWER_0) == [("m1", Want(0, 1))]


def test_a_report_that_crosses_a_recall_is_no_answer_to_it() -> None:
    node = Node(1, boss=False, managers=[4])
    node.employee("m0").num_idle_workers = 0
    assert node.below("m0", Update(0, 3)) == [("m0", Want(0, 1))]
    assert node.below("m0", Update(0, 6)) == []
    assert node.below("m0", Update(0, 5, True)) == [("m0", Want(0, 1))]


def test_a_manager_that_is_silent_keeps_no_other_from_being_asked() -> None:
    node = Node(0, managers=[1, 1])
    node.employee("m0").num_idle_workers = node.employee("m1").num_idle_workers = 0
    node.below("m0", Update(0, 1))
    assert node.above(Want(0, 1)) == [("m0", Want(0, 1))]
    node.core.now += ANSWER_S
    assert node.below("m1", Update(0, 9))[0] == ("m1", Want(0, 1))


def test_what_comes_back_goes_on_to_the_boss_who_has_asked_for_it() -> None:
    """To place it below again would be to ask for it again, for ever."""
    node = Node(0, managers=[1])
    node.core.placement.measure(FN, 100)
    node.above(*submit(1, 2))
    node.below("m0", Update(0, 1))
    assert node.above(Want(0, 1)) == [("m0", Want(0, 1))]
    sent = node.below("m0", returned(1, 2), [b"2"])
    assert sent[0] == (BOSS, returned(1, 2))


def test_a_recall_is_answered_also_where_nothing_is_left() -> None:
    """Otherwise the boss goes by its old figure, asks again, and neither ever stops."""
    node = Node(1)
    assert node.above(Want(0, 3)) == [(BOSS, ANSWER_0)]


def test_a_boss_recalls_from_a_worker_on_one_long_task() -> None:
    node = Node(2)
    node.core.placement.measure(FN, 100)
    node.above(*submit(1, 2, 3, 4))
    worker = node.employee("w0")
    worker.wanted = 0
    node.core.recall(worker)
    assert node.sent() == [("w0", Want(OFFERS_MIN, 2))]
    assert worker.wanted == OFFERS_MIN
    assert node.below("w1", *outcomes(2, 4))[1:] == [(BOSS, Waiting(1, 1, 2))]
    assert node.below("w0", returned(1, 3), [b"3"])[0] == ("w1", one(2, 3))
