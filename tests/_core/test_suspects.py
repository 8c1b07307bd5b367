"""Suspects: alone on extra workers, few at once, never waiting for ever; and what a node counts when one kills."""

import msgspec

from tests._core.makers import BOSS, JOB, Node, blobs, one, outcomes, own, returned, submit
from triort._core.links import Loss
from triort._core.node_core import Direction
from triort._core.suspects import Stage
from triort._model.ids import Address
from triort._model.limits import SUSPECT_WAIT_S, SUSPECT_WORKERS_MAX, SUSPECTS_MAX
from triort._model.messages import Cancel, Crashed, Lost, Message, Outcomes, Returned, Shutdown, Submit, Waiting, Want
from triort._model.outcomes import Crash, OutcomeKind


def below(told: tuple[Message, list[bytes]], name: str) -> tuple[Message, Direction, str, list[bytes]]:
    return told[0], Direction.BELOW, name, told[1]


CRASH = msgspec.msgpack.encode(Crash("x", 7, 9))


def alone(message: Submit | Returned, *indices: int) -> Submit | Returned:
    return msgspec.structs.replace(message, alone=list(indices) or [0])


def suspects(*addresses: int, parents: tuple[int, ...] = ()) -> tuple[Message, list[bytes]]:
    message, parts = submit(*addresses, parents=parents)
    return alone(message, *range(len(addresses))), parts


def isolating(workers: int = 2, *, can_start: bool = True) -> Node:
    node = Node(workers)
    node.core.suspects.isolate(can_start=can_start)
    return node


def test_a_suspect_waits_for_a_fresh_worker_while_others_are_idle() -> None:
    node = isolating()
    assert node.above(*suspects(1)) == [(BOSS, Waiting(2, 1, 2))]
    assert node.core.suspects.take_wanted() == 1
    assert node.core.suspects.take_wanted() == 0
    sent = node.extra("x1", 50)
    assert [message for conn, message in sent if conn == "x1"] == [Want(8), alone(one(1, 1))]
    assert not any(isinstance(message, Submit) for conn, message in sent if conn != "x1")
    assert node.core.total_workers == node.core.num_idle_workers == 2


def test_an_extra_worker_gets_nothing_else_and_is_dismissed_afterwards() -> None:
    node = isolating(1)
    node.above(*suspects(1))
    node.extra("x1", 50)
    assert [message for conn, message in node.above(*submit(2)) if conn == "x1"] == []
    sent = node.below("x1", *outcomes(1))
    assert ("x1", Shutdown()) in sent
    assert (BOSS, Outcomes(1, [Address(1)], [0], [100], [1])) in sent
    node.core.handle_disconnect("x1")
    assert (node.core.losses, node.core.suspects.extras) == (0, {})


def test_few_suspects_hold_a_cpu_at_once_and_those_that_wait_for_children_hold_none() -> None:
    node = isolating(1)
    node.above(*suspects(1, 2, 3, 4))
    assert node.core.suspects.take_wanted() == SUSPECTS_MAX == 2
    node.extra("x1", 50)
    node.extra("x2", 51)
    assert node.core.suspects.take_wanted() == 0
    node.below("x1", Waiting(1, 0))
    assert node.core.suspects.take_wanted() == 0
    node.below("x1", Waiting(1, 1))
    assert node.core.suspects.take_wanted() == 1


def test_a_result_that_is_on_its_way_to_a_suspect_wakes_it() -> None:
    node = isolating(1)
    node.above(*suspects(1, 2, 3))
    assert node.core.suspects.take_wanted() == 2
    node.extra("x1", 50)
    node.extra("x2", 51)
    node.below("x1", *blobs())
    node.below("x1", *submit(own(50, 1), parents=(1,)))
    node.core.handle_waiting("x1", 1, 1)
    node.core.handle_message(*below(outcomes(own(50, 1)), "w0"))
    assert node.employee("x1").waits
    node.sent()
    assert node.core.suspects.take_wanted() == 1  # the result has not left when the count is made
    node.core.suspects.not_started()
    node.sent()
    assert node.core.suspects.take_wanted() == 0


def test_whoever_has_waited_long_gets_a_worker_beyond_the_bound_or_any_worker() -> None:
    node = isolating(1)
    node.above(*suspects(*range(1, SUSPECT_WORKERS_MAX + 3)))
    for number in range(SUSPECT_WORKERS_MAX):
        assert node.core.suspects.take_wanted() == (SUSPECTS_MAX if not number else 0 if number == 1 else 1)
        node.extra(f"x{number}", 50 + number)
        if number:
            assert node.core.next_deadline() == node.core.now + SUSPECT_WAIT_S
            node.core.now += SUSPECT_WAIT_S
            node.sent()
    assert node.core.suspects.take_wanted() == 0
    assert len(node.core.suspects.extras) == SUSPECT_WORKERS_MAX
    assert len(node.link("w0").sent) == 1
    assert node.core.backlog.num_aside == 1


def test_a_waiting_suspect_can_be_cancelled_and_its_worker_goes_again() -> None:
    node = isolating()
    node.above(*suspects(1))
    assert node.above(Cancel([Address(1)])) == [
        (BOSS, Outcomes(1, [Address(1)], [int(OutcomeKind.CANCELLED)], [0], [0]))
    ]
    assert ("x1", Shutdown()) in node.extra("x1", 50)


def test_a_suspect_that_comes_back_unstarted_is_still_one() -> None:
    node = isolating()
    node.above(*suspects(1))
    node.extra("x1", 50)
    assert node.core.suspects.take_wanted() == 1
    node.below("x1", alone(returned(1, 1)), [b"1"])
    assert node.core.backlog.num_aside == 1
    assert node.core.suspects.take_wanted() == 1


def test_a_suspect_that_kills_again_is_told_with_the_count_and_nobody_is_replaced() -> None:
    node = isolating()
    node.above(*suspects(1))
    assert node.core.suspects.take_wanted() == 1
    node.extra("x1", 50)
    node.core.handle_disconnect("x1", Loss(Address(1), True, CRASH))
    sent = node.sent()
    assert (BOSS, Crashed(JOB, len(CRASH))) in sent
    assert (BOSS, Lost([Address(1)], [True], [len(CRASH)])) in sent
    assert (node.core.losses, node.core.blamed) == (1, 1)
    assert node.core.suspects.take_wanted() == 0


def test_losses_without_blame_are_counted_and_not_told() -> None:
    node = isolating()
    node.above(*submit(1))
    node.core.handle_disconnect("w0")
    assert not any(isinstance(message, Crashed) for _, message in node.sent())
    assert (node.core.losses, node.core.blamed) == (1, 0)


def test_an_extra_worker_that_does_not_start_is_asked_for_again() -> None:
    node = isolating()
    node.above(*suspects(1))
    assert node.core.suspects.take_wanted() == 1
    node.core.suspects.not_started()
    node.sent()
    assert node.core.suspects.take_wanted() == 1


def test_where_none_can_be_started_a_suspect_has_an_idle_worker_until_it_waits() -> None:
    node = isolating(can_start=False)
    sent = node.above(*suspects(1))
    assert ("w0", alone(one(1, 1))) in sent
    assert (node.core.total_workers, node.core.num_idle_workers) == (1, 1)
    node.below("w0", Waiting(1, 1))
    assert (node.core.total_workers, node.core.num_idle_workers) == (2, 2)


def test_where_none_can_be_started_and_all_are_busy_it_runs_among_others_after_a_while() -> None:
    node = isolating(1, can_start=False)
    node.above(*submit(9))
    node.above(*suspects(1))
    assert node.core.backlog.num_aside == 1
    node.core.now += SUSPECT_WAIT_S
    node.sent()
    assert (node.core.backlog.num_aside, len(node.core.backlog)) == (0, 1)
    assert node.core.next_deadline() == float("inf")


def test_a_node_that_gives_up_isolation_treats_those_that_wait_like_others_and_keeps_the_mark() -> None:
    node = isolating(1)
    node.above(*suspects(1))
    node.core.suspects.give_up()
    assert ("w0", alone(one(1, 1))) in node.sent()


def test_nodes_without_workers_pass_suspects_on() -> None:
    node = Node(0, managers=[2])
    assert node.above(*suspects(1)) == [("m0", alone(one(1, 1)))]


def test_suspects_from_below_are_no_offers() -> None:
    node = isolating(2)
    node.above(*submit(1, 2))
    wanted = node.employee("w0").wanted
    node.below("w0", *blobs())
    node.below("w0", *suspects(own(0, 1), parents=(1,)))
    assert node.employee("w0").wanted == wanted
    assert node.core.suspects.take_wanted() == 1


def test_the_stages_of_an_extra_worker() -> None:
    node = isolating()
    node.above(*suspects(1))
    node.extra("x1", 50)
    assert list(node.core.suspects.extras.values()) == [Stage.SERVING]
    node.below("x1", *outcomes(1))
    assert list(node.core.suspects.extras.values()) == [Stage.DISMISSED]
