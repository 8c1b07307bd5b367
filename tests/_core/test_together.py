"""What comes in one message is handled together, for speed; it comes out as if it had come one by one."""

from __future__ import annotations

from typing import Any

import pytest

from tests._core.makers import FN, JOB, Node, blobs, make_attempt, make_spec, outcomes, own, submit
from tests._core.test_jobs import Desk, ended
from triort._core.attempts import Attempt, Result
from triort._core.backlog import Backlog, Source
from triort._core.directions import Direction
from triort._core.hops import Hops
from triort._core.links import Link
from triort._core.placement import Placement
from triort._core.server_core import ServerCore
from triort._core.unpacking import close_outcomes, unpack_tasks
from triort._model.errors import ProtocolError
from triort._model.ids import Address, Digest, JobId
from triort._model.limits import CREDIT_US
from triort._model.messages import Cancel, JobEnded, JobOutcomes, Options, Outcomes, Submit, SubmitJob, TaskSpec
from triort._model.outcomes import OutcomeKind

OTHER = Digest(b"other")
VALUE, ERROR, CRASHED = (int(kind) for kind in (OutcomeKind.VALUE, OutcomeKind.ERROR, OutcomeKind.CRASHED))


# -- the links -----------------------------------------------------------------------------------------------------


def books(link: Link) -> tuple[object, ...]:
    return list(link.sent), link.cancelling, link.queued, link.queued_us, link.unread


def test_tasks_that_are_placed_or_closed_together_leave_the_books_of_a_link_as_others_do() -> None:
    alone, together = Link("a", "a"), Link("b", "b")
    tasks = [[make_attempt(number, cost_us=10 * number) for number in range(6)] for _ in range(2)]
    for each in tasks:
        each[2].keep_talk(b"hello")
        each[3].batch = each[4].batch = 7
    for attempt in tasks[0]:
        alone.place(attempt)
    together.place(*tasks[1])
    assert books(alone) == books(together)
    assert alone.out_talk == together.out_talk == [(2, b"hello")]
    for link, attempts in zip((alone, together), tasks, strict=True):
        link.unread = {0: [4, 80], 7: [2, 70]}
        link.cancel(attempts[1])
    answers = [Address(number) for number in (3, 1, 4, 9, 3)]
    assert [attempt and attempt.address for attempt in together.close_all(answers)] == [3, 1, 4, None, None]
    for address in answers:
        alone.close(address)
    assert books(alone) == books(together) == ([0, 2, 5], set(), 3, 70, {0: [3, 70]})


def test_an_address_that_comes_twice_in_one_batch_is_the_peers_fault_and_changes_nothing() -> None:
    link = Link("boss", "boss", below=False)
    link.known[JOB] = {FN}
    unpack_tasks(link, *submit(1), 0.0)
    before = dict(link.received)
    for addresses, twice in (((2, 3, 2), "0:2"), ((4, 1), "0:1")):
        with pytest.raises(ProtocolError, match=f"sent task {twice} twice"):
            unpack_tasks(link, *submit(*addresses), 0.0)
        assert link.received == before


def test_an_end_that_has_consequences_is_seen_to_before_the_next_one_is_closed() -> None:
    link = Link("w", "w")
    link.place(*[make_attempt(number) for number in (1, 2, 3)])
    message, parts = outcomes(1, 2, 8, 3)
    runs = [[int(attempt.address) for attempt in attempts] for attempts, _ in close_outcomes(link, message, parts)]
    assert (runs, link.batch_read) == ([[1, 2, 3]], 1)
    link.place(*[make_attempt(number) for number in (1, 2, 3)])
    message.kinds[1] = ERROR
    still_open = []
    for _, (result,) in close_outcomes(link, message, parts):
        still_open.append((int(result.address), list(map(int, link.sent))))
    assert still_open == [(1, [2, 3]), (2, [3]), (3, [])]
    assert list(close_outcomes(link, *outcomes(1, 2))) == []


# -- the hops ------------------------------------------------------------------------------------------------------


def test_values_go_back_to_where_each_of_their_tasks_came_from() -> None:
    boss, worker, gone = Link("boss", "boss", below=False), Link("w", "w"), Link("gone", "gone")
    hops = Hops()
    for origins in ([boss] * 3, [boss, worker, boss], [gone] * 2):
        attempts = [make_attempt(number, origin=origin) for number, origin in enumerate(origins)]
        for attempt in attempts:
            assert attempt.origin is not None
            attempt.origin.received[attempt.address] = attempt
        if gone in origins:
            gone.ended, gone.unanswered = True, {Address(0): 2}
            gone.losses[Address(0)] = make_attempt(99, origin=boss), None  # type: ignore[assignment]
            boss.received[Address(99)] = gone.losses[Address(0)][0]
        hops.pass_results(attempts, [Result(attempt.address, VALUE, 1, b"v") for attempt in attempts])
    assert [int(result.address) for result in boss.out_results] == [0, 1, 2, 0, 2]
    assert [int(result.address) for result in worker.out_results] == [1]
    assert (boss.received, worker.received, len(boss.out_lost), gone.unanswered) == ({}, {}, 1, {})
    assert boss.is_touched


# -- placement and the backlog -------------------------------------------------------------------------------------


def test_durations_that_are_measured_together_weigh_as_much_as_one_by_one() -> None:
    alone, together = (Placement(lambda name, n: 0) for _ in range(2))
    for each in (alone, together):
        each.measure(FN, 100)
    for _ in range(5):
        alone.measure(FN, 300)
    attempts = [make_attempt(number) for number in range(5)]
    results = [Result(attempt.address, VALUE, 100 * number, b"") for number, attempt in enumerate(attempts, 1)]
    together.measure_all(attempts, results)
    assert together.costs == pytest.approx(alone.costs)
    assert together.mean_us == pytest.approx(alone.mean_us)


def test_durations_of_several_functions_are_measured_apart() -> None:
    placement = Placement(lambda name, n: 0)
    spec = TaskSpec(JOB, OTHER, "other", 0, Options())
    attempts = [make_attempt(1), make_attempt(2, spec)]
    placement.measure_all(attempts, [Result(Address(1), VALUE, 10, b""), Result(Address(2), VALUE, 500, b"")])
    assert placement.costs == {FN: 10.0, OTHER: 500.0}


def test_tasks_that_were_cancelled_before_they_started_tell_nothing_of_their_function() -> None:
    node = Node(1)
    node.above(*blobs())
    node.core.placement.costs[FN] = 1_000.0
    node.above(*submit(10, 11))
    ends, parts = outcomes(10, 11, kind=int(OutcomeKind.CANCELLED))
    ends.durations_us[:] = [0, 3_000]
    node.below("w0", ends, parts)
    assert node.core.placement.costs[FN] == 1_400.0


@pytest.mark.parametrize("kind", ["alike", "of two ranks", "of two origins", "with a suspect"])
def test_tasks_that_are_added_together_wait_where_they_would_alone(kind: str) -> None:
    backlogs = []
    for is_together in (False, True):
        boss, worker, backlog = Link("boss", "boss", below=False), Link("w", "w"), Backlog()
        backlog.isolates = True
        spec, deep = make_spec(), make_spec(depth=2)
        attempts = [make_attempt(number, spec, boss) for number in range(4)]
        if kind == "of two ranks":
            attempts[2].spec = deep
        elif kind == "of two origins":
            attempts[2].origin = worker
        elif kind == "with a suspect":
            attempts[2].alone = True
        if is_together:
            backlog.add_all(attempts)
        else:
            for attempt in attempts:
                backlog.add(attempt)
        counts = [backlog.count(source) for source in Source], len(backlog), backlog.num_aside, boss.waiting
        assert all(attempt.queued for attempt in attempts)
        order: list[Attempt] = []
        while (first := backlog.pop_deepest()) is not None:
            order.append(first)
        backlogs.append((counts, [int(attempt.address) for attempt in order], boss.waiting, worker.waiting))
    assert backlogs[0] == backlogs[1]


@pytest.mark.parametrize("source", list(Source))
def test_tasks_that_are_taken_together_leave_as_others_do(source: Source) -> None:
    boss, workers, backlog = Link("boss", "boss", below=False), (Link("a", "a"), Link("b", "b")), Backlog()
    origins: dict[Source, list[Link | None]] = {Source.GIVEN: [boss], Source.OWN: [None], Source.OFFERED: [*workers]}
    attempts = [make_attempt(number, origin=origins[source][number % len(origins[source])]) for number in range(6)]
    for attempt in attempts:
        backlog.add(attempt)
    backlog.remove(attempts[1])
    for link in (boss, *workers):
        link.is_touched = False
    assert backlog.pop_run(0, is_held=False) == []
    taken = backlog.pop_run(3, is_held=False)
    assert taken == [attempts[0], attempts[2], attempts[3]]
    assert not any(attempt.queued for attempt in taken)
    assert (len(backlog), backlog.count(source)) == (2, 2)
    assert boss.waiting == (2 if source is Source.GIVEN else 0)
    is_offered = source is Source.OFFERED
    assert [(link.waiting, link.is_touched) for link in workers] == [(int(is_offered), is_offered)] * 2
    assert backlog.pop_run(9, is_held=False) == attempts[4:]


# -- jobs ----------------------------------------------------------------------------------------------------------


def test_values_of_one_job_and_of_several_are_told_alike() -> None:
    desk = Desk()
    desk.submit(3)
    desk.submit(1, request=2)
    first, second, third, other = desk.placed
    results = {attempt: Result(attempt.address, VALUE, 1, b"v") for attempt in desk.placed}
    size = desk.books.held.total
    desk.books.settle_values([third, first], [results[third], results[first]])
    assert desk.books.held.total == size - 2
    assert ended((2, VALUE), (0, VALUE)) in desk.told()
    desk.books.settle_values([other, second], [results[other], results[second]])
    told = desk.told()
    assert [message for message in told if isinstance(message, JobOutcomes) and message.job == 1] == [ended((1, VALUE))]
    assert sorted(message.job for message in told if isinstance(message, JobEnded)) == [1, JobId(other.spec.job)]
    assert desk.books.held.total == 0
    assert desk.is_empty()


class ServerNode(Node):
    """A server's core with one employee."""

    core: ServerCore

    def __init__(self) -> None:
        self.core = ServerCore(choose=lambda name, n: 0)
        self.core.placement.costs[FN] = CREDIT_US // 10
        self.hire("w0", 0)


def submit_job(node: ServerNode, items: int, **options: Any) -> list[Link]:
    """A client submits a job; returns the links of the employees."""
    node.core.hops.blobs.clear()
    spec = TaskSpec(JobId(0), FN, "work", 0, Options(**options))
    message = SubmitJob(1, spec, 1, True, [4, *[1] * items], False)
    parts = [b"code", *(b"%d" % number for number in range(items))]
    node.core.handle_message(message, Direction.CLIENT, "client", parts)
    node.sent()
    return [employee.link for employee in node.core.employees]


def test_an_item_that_failed_cancels_those_behind_it_in_the_same_message_only_if_they_have_not_ended() -> None:
    """What comes with an error is closed one by one."""
    node = ServerNode()
    (link,) = submit_job(node, 4)
    sent = list(link.sent)
    assert len(sent) == 4
    ends = Outcomes(1, sent[:3], [VALUE, ERROR, VALUE], [1, 1, 1], [1, 1, 1])
    told = node.below("w0", ends, [b"v", b"e", b"v"])
    (job,) = node.core.jobs.jobs.values()
    assert (list(link.sent), link.cancelling, list(job.open)) == ([sent[3]], {sent[3]}, [sent[3]])
    assert [m.kinds for _, m in told if isinstance(m, JobOutcomes)] == [[VALUE, ERROR, VALUE]]


def test_a_value_that_a_loss_waited_for_cancels_nothing_that_has_ended_in_the_same_message() -> None:
    """The child's end lets the loss of its parent be told. That ends the job, and cancels its other item, of which the
    same message tells the end."""
    node = ServerNode()
    node.hire("w1", 1)
    first, second = (next(iter(link.sent)) for link in submit_job(node, 2, at_most_once=True))
    (job,) = node.core.jobs.jobs.values()
    node.employee("w0").wanted = 1
    spec = TaskSpec(job.id, FN, "child", 1, Options())
    node.below("w0", Submit(1, [spec], [own(0, 1)], [0], [1], {}, [first]), [b"c"])
    node.core.handle_disconnect("w0", reason="it is gone")
    node.sent()
    w1 = node.link("w1")
    assert list(w1.sent) == [second, own(0, 1)]
    told = node.below("w1", *outcomes(own(0, 1), second))
    assert [m.kinds for _, m in told if isinstance(m, JobOutcomes)] == [[CRASHED, VALUE]]
    assert (list(w1.sent), w1.cancelling, node.core.hops.ended) == ([], set(), set())
    assert not [m for _, m in told if isinstance(m, Cancel)]


def test_a_manager_passes_many_values_on_at_once_and_keeps_nothing_of_them() -> None:
    node = Node(1)
    node.above(*blobs())
    node.core.placement.costs[FN] = 1
    node.above(*submit(*range(10, 30)))
    message, parts = outcomes(*range(10, 30))
    told = [m for _, m in node.below("w0", message, parts) if isinstance(m, Outcomes)]
    assert [(m.addresses, m.durations_us) for m in told] == [(message.addresses, message.durations_us)]
    boss = node.core.boss
    assert boss is not None
    assert (boss.received, node.link("w0").sent, node.link("w0").queued, len(node.core.backlog)) == ({}, {}, 0, 0)
    assert node.core.placement.costs[FN] > 90
