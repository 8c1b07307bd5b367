"""How the state of the tree is gathered, also while links end."""

import pytest

from tests._core.makers import BOSS, Node
from triort._core.employee import Employee
from triort._core.links import Link
from triort._core.status_tree import fitting
from triort._core.statuses import StatusDesk, _of_employee
from triort._model.errors import ProtocolError
from triort._model.limits import STATUS_WAITING_MAX
from triort._model.messages import NodeStatus, StatusReply, StatusRequest

LEAF = NodeStatus("m0", "manager", 7, 4, 4, 0, 0)


def managers(*names: str) -> list[NodeStatus]:
    return [NodeStatus(name, "manager", 0, 4, 4, 0, 0) for name in names]


def own(*employees: NodeStatus, workers: int = 8, losses: int = 0) -> NodeStatus:
    return NodeStatus("m", "manager", 0, workers, workers, 0, 0, employees=list(employees), losses=losses)


def test_a_node_with_workers_answers_for_them() -> None:
    workers = [NodeStatus(name, "worker", 0, 1, 1, 0, 0) for name in ("w0", "w1")]
    assert Node(2).above(StatusRequest(3)) == [(BOSS, StatusReply(3, own(*workers, workers=2)))]


def test_managers_are_asked_and_their_answers_make_one_tree() -> None:
    node = Node(0, managers=[4, 4])
    assert node.above(StatusRequest(3)) == [("m0", StatusRequest(1)), ("m1", StatusRequest(1))]
    assert node.below("m1", StatusReply(1, *managers("m1"))) == []
    assert node.below("m1", StatusReply(1, *managers("m1"))) == []
    assert node.below("m0", StatusReply(1, LEAF)) == [(BOSS, StatusReply(3, own(LEAF, *managers("m1"))))]
    assert node.core.status_desk.rounds == {}


def test_a_manager_that_ends_meanwhile_is_not_waited_for() -> None:
    node = Node(0, managers=[4, 4])
    node.above(StatusRequest(3))
    node.below("m0", StatusReply(1, LEAF))
    node.core.handle_disconnect("m1")
    assert (BOSS, StatusReply(3, own(LEAF, workers=4, losses=1))) in node.sent()
    assert node.core.status_desk.rounds == {}


def test_one_who_asked_and_has_gone_gets_no_answer() -> None:
    node = Node(0, boss=False, managers=[4])
    desk: StatusDesk = node.core.status_desk
    for request, client in ((9, "client"), (5, "other"), (6, "client")):
        desk.ask(request, client)
    assert node.sent() == [("m0", StatusRequest(1))]
    desk.drop("client")
    assert node.below("m0", StatusReply(1, LEAF)) == [("m0", StatusRequest(2))]
    assert node.below("m0", StatusReply(2, LEAF)) == [("other", StatusReply(5, own(LEAF, workers=4)))]
    assert (desk.rounds, desk.waiting) == ({}, [])


def test_all_who_ask_meanwhile_are_answered_by_one_more_round() -> None:
    node = Node(0, boss=False, managers=[4])
    desk: StatusDesk = node.core.status_desk
    for request in range(20):
        desk.ask(request, "client")
    assert node.sent() == [("m0", StatusRequest(1))]
    tree = own(LEAF, workers=4)
    first = [("client", StatusReply(0, tree)), ("m0", StatusRequest(2))]
    assert node.below("m0", StatusReply(1, LEAF)) == first
    assert node.below("m0", StatusReply(2, LEAF)) == [("client", StatusReply(each, tree)) for each in range(1, 20)]
    assert (desk.rounds, desk.waiting) == ({}, [])


def test_one_who_asks_on_and_on_is_at_fault_and_others_may_ask() -> None:
    node = Node(0, boss=False, managers=[4])
    desk: StatusDesk = node.core.status_desk
    for request in range(STATUS_WAITING_MAX + 1):
        desk.ask(request, "client")
    with pytest.raises(ProtocolError, match=f"more than {STATUS_WAITING_MAX} requests for the status at once"):
        desk.ask(9_999, "client")
    desk.ask(1, "other")


def test_of_very_many_workers_most_are_told_at_every_level() -> None:
    workers = [NodeStatus(f"m0.w{i}", "worker", i, 1, 0, 3, 0, "a_function" * 5) for i in range(20_000)]
    told = len(fitting(workers))
    assert 8_000 < told < 20_000
    for level in range(1, 4):
        workers = fitting([NodeStatus("m0", "manager", 7, 4, 4, 0, 0, employees=workers)])
        tree = workers
        for _ in range(level):
            ((_, *others), tree) = tree, tree[0].employees
            assert others == []
        assert told - 3 * level <= len(tree) <= told


def test_the_rate_counts_from_the_request_before_but_not_over_a_moment() -> None:
    worker = Employee(Link("w", "w"), "w", "worker", 1, 2, 0, 1)
    worker.mark = 10.0, 0
    worker.done = 50
    assert _of_employee(worker, 10.0).rate == 0.0
    assert _of_employee(worker, 10.1).rate == pytest.approx(500)
    assert _of_employee(worker, 15.0).rate == pytest.approx(10)
    worker.done = 80
    assert _of_employee(worker, 18.0).rate == pytest.approx(10)
