"""How many new tasks an employee may offer: its window is renewed, widened, narrowed, closed."""

import pytest

from tests._core.makers import Node, outcomes, own, submit
from triort._model.limits import OFFERS_MIN, WINDOW_SLOW_S
from triort._model.messages import Cancel, Outcomes, Submit, Want


def test_a_window_is_widened_when_offers_are_taken_at_once_and_not_renewed_while_they_wait() -> None:
    node = Node(2)
    node.above(*submit(1, 2))
    window = node.employee("w0").wanted
    offered = [own(0, n) for n in range(window)]
    sent = node.below("w0", *submit(*offered, parents=[1] * window))
    assert sent == []
    taken = node.above(Want(window))
    assert [type(message) for _, message in taken] == [Want, Submit]
    assert node.employee("w0").wanted > window


def with_wide_window() -> Node:
    """Both workers have a task, and the first one may offer 512."""
    node = Node(2)
    node.above(*submit(1, 2))
    worker = node.employee("w0")
    worker.offer_window = worker.granted = worker.wanted = 512
    node.core.placement.mean_us = 100.0
    return node


def test_a_wide_window_that_fast_tasks_have_not_used_up_soon_is_closed() -> None:
    """Through it the leaves of the next tree would leave one by one, which its worker needs itself."""
    node = with_wide_window()
    worker = node.employee("w0")
    assert node.below("w0", *submit(own(0, 0), parents=[1])) == []
    node.core.now += 2 * WINDOW_SLOW_S
    sent = node.below("w0", *submit(own(0, 1), parents=[1], batch=2))
    assert sent == [("w0", Want(1 - 510))]  # two of its offers wait here
    assert (worker.offer_window, worker.wanted) == (OFFERS_MIN, 1)


def test_what_is_offered_before_the_end_of_a_window_is_heard_of_counts_in_the_next_one() -> None:
    node = with_wide_window()
    worker = node.employee("w0")
    node.core.now += 2 * WINDOW_SLOW_S
    node.below("w0", *submit(own(0, 1), parents=[1]))
    node.below("w0", *submit(*(own(0, n) for n in range(2, 7)), parents=[1] * 5, batch=2))
    assert worker.wanted == 1 - 5
    assert node.above(Want(6))[0] == ("w0", Want(worker.wanted + 4))


def test_one_whose_window_was_closed_is_no_poorer_than_before() -> None:
    """Who has offered something does not get what others have offered to queue."""
    node = with_wide_window()
    node.core.now += 2 * WINDOW_SLOW_S
    node.below("w0", *submit(own(0, 0), parents=[1]))
    assert node.employee("w0").offer_window == OFFERS_MIN
    assert not node.employee("w0").is_poor


def test_workers_that_idle_here_are_seen_while_the_boss_is_owed_offers() -> None:
    node = Node(8)
    node.above(*submit(*range(1, 9)))
    node.above(Want(2))
    node.below("w0", *submit(own(0, 0), own(0, 1), parents=[1, 1]))
    node.above(Want(-5))
    for number in range(4, 9):
        node.below(f"w{number - 1}", *outcomes(number))
    assert (node.core.want_credit, node.core.num_idle_workers) == (-5, 5)
    worker = node.employee("w0")
    worker.offer_window = worker.granted = worker.wanted = 512
    node.core.placement.mean_us = 100.0
    node.core.now += 2 * WINDOW_SLOW_S
    node.employee("w1").wanted = 0
    node.core.recall(node.employee("w1"))
    node.link("w0").touch()
    assert ("w1", Want(5 + OFFERS_MIN, 1)) in node.sent()
    assert worker.offer_window == 5 + OFFERS_MIN


@pytest.mark.parametrize("why", ["somebody is idle elsewhere", "tasks are long", "nobody knows", "it is new"])
def test_a_wide_window_stays_where_it_may_be_of_use(why: str) -> None:
    node = with_wide_window()
    if why == "somebody is idle elsewhere":
        node.above(Want(600))
    if why == "tasks are long":
        node.core.placement.mean_us = 10_000.0
    if why == "nobody knows":
        node.core.placement.mean_us = 0.0
    node.core.now += 2 * WINDOW_SLOW_S if why != "it is new" else WINDOW_SLOW_S / 2
    sent = node.below("w0", *submit(own(0, 0), parents=[1]))
    assert not [message for conn, message in sent if conn == "w0"]
    assert node.employee("w0").offer_window == 512


def test_a_cancelled_offer_makes_room_for_the_next() -> None:
    node = Node(2)
    node.above(*submit(1, 2))
    window = node.employee("w0").wanted
    offered = [own(0, n) for n in range(window)]
    node.below("w0", *submit(*offered, parents=[1] * window))
    sent = node.below("w0", Cancel(offered))
    assert [(conn, type(message)) for conn, message in sent] == [("w0", Want), ("w0", Outcomes)]
