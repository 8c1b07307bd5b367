"""Nodes that are asked to leave: nothing new for them, unstarted tasks back, an end when all is over, an answer."""

from typing import Any

from tests._core.makers import BOSS, Node, make_attempt, outcomes, own, returned, submit
from triort._core.employee import distinct_name
from triort._model.messages import DrainReply, DrainRequest, Lost, Shutdown, Submit, Waiting, Want

Sent = list[Any]


def drains(sent: Sent) -> Sent:
    return [(conn, message) for conn, message in sent if isinstance(message, DrainReply | DrainRequest | Shutdown)]


def submits(sent: Sent, conn: object) -> list[Any]:
    return [message for to, message in sent if to == conn and isinstance(message, Submit)]


def test_an_idle_worker_is_dismissed_at_once_and_the_answer_comes_when_it_has_ended() -> None:
    node = Node(2)
    assert node.above(DrainRequest(7, "w0")) == [(BOSS, Waiting(1, 0, 1)), ("w0", Shutdown())]
    node.core.handle_disconnect("w0")
    assert drains(node.sent()) == [(BOSS, DrainReply(7))]
    assert not node.core.drains.is_busy
    assert node.core.losses == 0


def test_a_busy_worker_gets_nothing_more_and_is_dismissed_when_its_tasks_are_over() -> None:
    node = Node(1)
    node.above(*submit(1))
    sent = node.above(DrainRequest(7, "w0"))
    assert drains(sent) == []
    assert next(message for conn, message in sent if isinstance(message, Want)).recall == 1
    assert submits(node.above(*submit(2, batch=2)), "w0") == []
    node.below("w0", Waiting(1, 1))
    assert not submits(node.sent(), "w0")
    assert drains(node.below("w0", *outcomes(1))) == [("w0", Shutdown())]
    node.core.handle_disconnect("w0")
    assert drains(node.sent()) == [(BOSS, DrainReply(7))]


def test_a_worker_that_dies_meanwhile_has_left_too() -> None:
    node = Node(2)
    node.above(*submit(1))
    node.above(DrainRequest(7, "w0"))
    node.core.handle_disconnect("w0")
    sent = node.sent()
    assert any(isinstance(message, Lost) for _, message in sent)
    assert drains(sent) == [(BOSS, DrainReply(7))]


def test_a_node_that_is_not_there_is_told() -> None:
    node = Node(1, managers=[2])
    for path in ("w9", "w0/x", "m"):
        [(conn, reply)] = drains(node.above(DrainRequest(7, path)))
        assert (conn, reply.request) == (BOSS, 7)
        assert reply.problem == f"m has no node called {path!r} below it"


def test_a_request_goes_down_its_path_and_the_answer_up() -> None:
    node = Node(0, managers=[4, 4])
    assert drains(node.above(DrainRequest(7, "m1/x/w3"))) == [("m1", DrainRequest(1, "x/w3"))]
    assert node.employee("m1").num_workers == 4
    assert drains(node.below("m1", DrainReply(1, "no"))) == [(BOSS, DrainReply(7, "no"))]
    assert drains(node.below("m1", DrainReply(1, "no"))) == []


def test_a_manager_below_that_is_to_leave_gets_nothing_more_and_may_end_without_an_answer() -> None:
    node = Node(0, managers=[4, 4])
    sent = node.above(DrainRequest(7, "m1"))
    assert drains(sent) == [("m1", DrainRequest(1, ""))]
    assert (BOSS, Waiting(4, 0, 4)) in sent
    node.below("m1", Waiting(4, 0, 4))
    assert not submits(node.above(*submit(1, 2, 3, 4, 5)), "m1")
    node.core.handle_disconnect("m1")
    assert drains(node.sent()) == [(BOSS, DrainReply(7))]


def test_when_the_way_to_a_node_ends_who_asked_is_told() -> None:
    node = Node(0, managers=[4])
    node.above(DrainRequest(7, "m0/w1"))
    node.core.handle_disconnect("m0")
    [(_, reply)] = drains(node.sent())
    assert reply.problem


def test_a_manager_below_that_has_nothing_left_is_dismissed_and_has_left_when_its_link_ends() -> None:
    node = Node(0, managers=[4, 4])
    node.above(*submit(1))
    node.above(DrainRequest(7, "m0"))
    assert drains(node.below("m0", DrainReply(1))) == [("m0", Shutdown())]
    node.above(DrainRequest(8, "m0"))
    assert drains(node.below("m0", DrainReply(2))) == []
    node.core.handle_disconnect("m0")
    assert drains(node.sent()) == [(BOSS, DrainReply(7)), (BOSS, DrainReply(8))]


def test_a_manager_leaves_though_nobody_waits_for_that_any_more() -> None:
    node = Node(0, boss=False, managers=[4])
    node.core.drains.ask(1, "m0", "client")
    node.core.drains.ask(2, "m0/w9", "client")
    node.sent()
    node.core.drains.drop("client")
    assert drains(node.below("m0", DrainReply(2, "no"))) == []
    assert drains(node.below("m0", DrainReply(1))) == [("m0", Shutdown())]
    node.core.handle_disconnect("m0")
    assert drains(node.sent()) == []


def test_an_idle_manager_that_is_to_leave_says_so_and_ends_with_all_below_when_it_is_dismissed() -> None:
    node = Node(2)
    node.core.running = True
    sent = node.above(DrainRequest(7, ""))
    assert drains(sent) == [(BOSS, DrainReply(7))]
    assert (BOSS, Waiting(0, 0, 0)) in sent
    assert node.core.running
    assert drains(node.above(Shutdown())) == [("w0", Shutdown()), ("w1", Shutdown())]
    assert not node.core.running


def leaving(*given: int, workers: int = 1) -> tuple[Node, Sent]:
    """A manager that has these tasks and is asked to leave."""
    node = Node(workers)
    node.core.running = True
    node.above(*submit(*given))
    return node, node.above(DrainRequest(7, ""))


def test_a_manager_that_leaves_hands_back_what_waits_and_ends_after_what_runs() -> None:
    node, sent = leaving(1, 2, 3)
    assert (BOSS, returned(1, 2, 3)) in sent
    assert drains(sent) == []
    assert node.core.running
    sent = node.below("w0", *outcomes(1))
    assert drains(sent) == [(BOSS, DrainReply(7))]
    assert [type(message) for conn, message in sent if conn == BOSS][-1] is DrainReply
    assert drains(node.below("w0", Waiting(1, 1))) == []


def test_what_comes_back_from_below_goes_back_up_and_is_not_started_here() -> None:
    node, _ = leaving(1, 2, workers=2)
    sent = node.below("w1", returned(1, 2), [b"2"])
    assert (BOSS, returned(1, 2)) in sent
    assert not submits(sent, "w0")
    assert not submits(node.above(*submit(9, batch=2)), "w1")


def test_children_of_what_runs_go_up_as_far_as_they_are_wanted_and_else_run_here() -> None:
    node, _ = leaving(1, workers=2)
    node.below("w0", Waiting(1, 1))
    node.above(Want(1))
    sent = node.below("w0", *submit(own(0, 1), own(0, 2), parents=[1, 1]))
    assert submits(sent, BOSS)[0].addresses == [own(0, 1)]
    assert [message.addresses for _, message in sent if _ != BOSS and isinstance(message, Submit)] == [[own(0, 2)]]
    assert drains(sent) == []


def test_who_asks_twice_is_answered_twice_and_who_has_gone_is_not() -> None:
    node, _ = leaving(1)
    node.above(DrainRequest(8, ""))
    assert [reply for conn, reply in drains(node.below("w0", *outcomes(1))) if conn == BOSS] == [
        DrainReply(7), DrainReply(8)
    ]  # fmt: skip
    other = Node(1, boss=False)
    desk = other.core.drains
    desk.ask(1, "w0", "one")
    desk.ask(2, "w0", "two")
    assert drains(other.sent()) == [("w0", Shutdown())]
    desk.drop("one")
    other.core.handle_disconnect("w0")
    assert drains(other.sent()) == [("two", DrainReply(2))]


def test_a_node_without_a_boss_does_not_leave() -> None:
    node = Node(1, boss=False)
    node.core.drains.ask(1, "", "client")
    [(conn, reply)] = drains(node.sent())
    assert (conn, reply.problem) == ("client", "m has no boss: end it itself")


def test_the_last_capacity_leaves_and_tasks_wait() -> None:
    node = Node(1, boss=False)
    node.core.drains.ask(1, "w0", "client")
    node.sent()
    node.core.handle_disconnect("w0")
    assert drains(node.sent()) == [("client", DrainReply(1))]
    assert node.core.total_workers == 0
    node.hire("w1", 5)
    assert node.core.total_workers == 1


def test_names_are_distinct_below_one_boss() -> None:
    node = Node(0, managers=[1])
    employee = node.hire("m0", 50)
    assert (employee.name, employee.link.name) == ("m0-2", "m0-2")
    assert distinct_name("m0", node.core.employees) == "m0-3"
    assert distinct_name("m1", node.core.employees) == "m1"


def with_limited_workers(tasks: int, count: int = 1) -> Node:
    node = Node(count)
    for employee in node.core.employees:
        employee.tasks_left = tasks
    return node


def test_a_worker_that_is_to_be_replaced_gets_one_task_at_a_time_and_so_many_in_all() -> None:
    node = with_limited_workers(2)
    node.core.placement.costs[make_attempt(1).spec.function] = 1.0
    assert [message.addresses for message in submits(node.above(*submit(1, 2, 3)), "w0")] == [[1]]
    assert [message.addresses for message in submits(node.below("w0", *outcomes(1)), "w0")] == [[2]]
    assert node.core.drains.take_successors() == 0
    assert drains(node.below("w0", *outcomes(2))) == [("w0", Shutdown())]
    assert node.core.drains.take_successors() == 1
    assert submits(node.below("w0", Waiting(1, 2)), "w0") == []
    node.core.handle_disconnect("w0")
    assert node.core.drains.take_successors() == 0
    assert node.core.losses == 0


def test_a_spent_worker_whose_task_waits_has_a_successor_which_the_task_may_need() -> None:
    node = with_limited_workers(1)
    node.above(*submit(1))
    assert node.core.drains.take_successors() == 0
    assert drains(node.below("w0", Waiting(1, 1))) == []
    assert node.core.drains.take_successors() == 1
    assert drains(node.below("w0", *outcomes(1))) == [("w0", Shutdown())]
    assert node.core.drains.take_successors() == 0


def test_a_spent_worker_that_dies_has_one_successor() -> None:
    node = with_limited_workers(1)
    node.above(*submit(1))
    node.core.handle_disconnect("w0")
    assert any(isinstance(message, Lost) for _, message in node.sent())
    assert node.core.drains.take_successors() == 1
