"""The server's books about jobs: items, failures, retries, deadlines, losses, and clients that go."""

from typing import Any

import msgspec
import pytest

from tests._core.makers import FN, make_spec
from triort._core.attaching import drop_client
from triort._core.attempts import Attempt, Result
from triort._core.hops import cancelled
from triort._core.jobs import JobBooks
from triort._core.links import Loss
from triort._model.errors import ProtocolError
from triort._model.ids import JobId
from triort._model.limits import PARTS_PER_MESSAGE_MAX
from triort._model.messages import JobAccepted, JobEnded, JobOutcomes, Message, SubmitJob
from triort._model.outcomes import Crash, OutcomeKind

VALUE, ERROR, CANCELLED, TIMEOUT, CRASHED = (int(kind) for kind in OutcomeKind)


class Desk:
    """Job books whose tasks are placed in a list; a cancel is answered at once where they are."""

    def __init__(self) -> None:
        self.now = 0.0
        self.placed: list[Attempt] = []
        self.cancels: list[int] = []
        self.slow = False
        self.books = JobBooks(self.placed.extend, self.cancel, lambda: self.now)

    def cancel(self, attempt: Attempt) -> None:
        self.cancels.append(int(attempt.address))
        if not self.slow:
            self.placed.remove(attempt)
            self.books.settle(attempt, cancelled(attempt))

    def submit(
        self, items: int, *, request: int = 1, last: bool = True, detached: bool = False, **options: Any
    ) -> None:
        parts = [b"%d" % number for number in range(items)]
        sizes = [len(part) for part in parts]
        message = SubmitJob(request, make_spec(**options), 0, last, sizes, False, detached)
        job = self.books.open_job("client", message)
        self.books.add_items(job, message, parts)

    def end(self, kind: int = VALUE) -> None:
        attempt = self.placed.pop(0)
        self.books.settle(attempt, Result(attempt.address, kind, 1, b"v"))

    def lose(self, crash: bytes = b"", *, blamed: bool = False, beside: bool = False) -> None:
        attempt = self.placed.pop(0)
        self.books.lose(attempt, Loss(attempt.address, blamed, crash, beside))

    def told(self) -> list[Message]:
        return [send.message for send in self.books.flush()[0]]

    def is_empty(self) -> bool:
        books = self.books
        return not (books.jobs or books.requests.jobs or books._dirty or books.next_deadline())


@pytest.fixture
def desk() -> Desk:
    return Desk()


JOB = JobId(1)


def ended(*items: tuple[int, int], sizes: int = 1) -> JobOutcomes:
    return JobOutcomes(JOB, [index for index, _ in items], [kind for _, kind in items], [sizes] * len(items))


def test_a_job_is_accepted_and_ends_with_its_last_item(desk: Desk) -> None:
    desk.submit(2)
    assert desk.told() == [JobAccepted(1, JOB)]
    desk.end()
    assert desk.told() == [ended((0, VALUE))]
    desk.end()
    assert desk.told() == [ended((1, VALUE)), JobEnded(JOB)]
    assert desk.is_empty()


def test_the_root_tasks_carry_the_job_and_their_payloads(desk: Desk) -> None:
    desk.submit(2)
    assert [(a.spec.job, a.spec.function, a.payload, a.index) for a in desk.placed] == [
        (JOB, FN, b"0", 0), (JOB, FN, b"1", 1)
    ]  # fmt: skip


def test_items_may_come_in_several_messages_and_outcomes_are_told_before_the_last(desk: Desk) -> None:
    desk.submit(1, last=False)
    desk.end()
    assert desk.told() == [JobAccepted(1, JOB), ended((0, VALUE))]
    desk.submit(0)
    assert desk.told() == [JobEnded(JOB)]
    assert desk.is_empty()


def test_a_job_that_is_to_outlive_its_client_is_accepted_with_its_last_item(desk: Desk) -> None:
    desk.submit(1, last=False, detached=True)
    desk.end()
    assert desk.told() == []
    desk.submit(0, detached=True)
    assert desk.told() == [JobAccepted(1, JOB), ended((0, VALUE)), JobEnded(JOB)]


def test_a_map_over_nothing_ends_at_once(desk: Desk) -> None:
    desk.submit(0)
    assert desk.told() == [JobAccepted(1, JOB), JobEnded(JOB)]


def test_items_after_the_last_are_the_clients_fault(desk: Desk) -> None:
    desk.submit(1)
    with pytest.raises(ProtocolError, match="after its last ones"):
        desk.submit(1)


def test_the_first_failure_cancels_the_other_items_and_those_that_still_come(desk: Desk) -> None:
    desk.submit(3, last=False)
    desk.end(ERROR)
    outcomes = JobOutcomes(JOB, [0, 1, 2], [ERROR, CANCELLED, CANCELLED], [1, 0, 0])
    assert desk.told() == [JobAccepted(1, JOB), outcomes]
    desk.submit(1)
    assert desk.told() == [ended((3, CANCELLED), sizes=0), JobEnded(JOB)]
    assert (desk.is_empty(), desk.placed) == (True, [])


def test_a_cancelled_job_ends_when_its_tasks_have_answered(desk: Desk) -> None:
    desk.slow = True
    desk.submit(2)
    desk.books.cancel_job("client", 1)
    desk.books.cancel_job("client", 1)
    desk.books.cancel_job("client", 99)
    assert (desk.told(), len(desk.cancels)) == ([JobAccepted(1, JOB)], 2)
    desk.end(CANCELLED)
    desk.end(VALUE)
    assert desk.told() == [ended((0, CANCELLED), (1, VALUE)), JobEnded(JOB)]


def test_an_item_that_raises_is_tried_again_with_a_new_address(desk: Desk) -> None:
    desk.submit(1, retries=1)
    first = desk.placed[0].address
    desk.end(ERROR)
    assert desk.placed[0].address != first
    desk.end(ERROR)
    assert desk.told() == [JobAccepted(1, JOB), ended((0, ERROR)), JobEnded(JOB)]


@pytest.mark.parametrize("lost", [False, True])
def test_a_job_beyond_its_deadline_has_timed_out(desk: Desk, lost: bool) -> None:
    desk.slow = True
    desk.submit(1, timeout_s=2.0)
    assert (desk.books.next_deadline(), desk.placed[0].deadline) == (2.0, 2.0)
    desk.now = 2.0
    desk.books.expire()
    if lost:
        desk.lose()
    else:
        desk.end(CANCELLED)
    assert desk.told() == [JobAccepted(1, JOB), ended((0, TIMEOUT), sizes=3), JobEnded(JOB)]
    assert desk.is_empty()


def test_deadlines_of_jobs_that_have_ended_are_not_kept(desk: Desk) -> None:
    for request in range(1_000):
        desk.submit(1, request=request, timeout_s=1e6)
        desk.end()
        desk.told()
    assert len(desk.books._deadlines) < 200
    assert desk.is_empty()


def test_a_lost_item_is_submitted_again_with_its_payload(desk: Desk) -> None:
    desk.submit(1)
    desk.lose()
    assert [attempt.payload for attempt in desk.placed] == [b"0"]
    desk.end()
    assert desk.told() == [JobAccepted(1, JOB), ended((0, VALUE)), JobEnded(JOB)]


def test_an_item_that_was_to_blame_runs_alone_and_one_that_was_lost_twice_by_its_own_child(desk: Desk) -> None:
    desk.submit(1)
    for beside, is_alone in ((True, False), (False, False), (True, True), (False, True)):
        desk.lose(beside=beside)
        assert [attempt.alone for attempt in desk.placed] == [is_alone]
    desk.submit(1, request=2)
    desk.placed.pop(0)
    desk.lose(blamed=True)
    assert [attempt.alone for attempt in desk.placed] == [True]


def crash_told(desk: Desk) -> Crash:
    """The crash that the client is told of, as the only outcome."""
    _, outcome, _ = desk.books.flush()[0]
    assert outcome.message == JobOutcomes(JOB, [0], [CRASHED], [len(outcome.parts[0])])
    return msgspec.msgpack.decode(outcome.parts[0], type=Crash)


def test_an_item_is_crashed_when_it_was_to_blame_too_often(desk: Desk) -> None:
    crash = msgspec.msgpack.encode(Crash("w3", 42, signal=9))
    desk.submit(1, crash_limit=2)
    desk.lose()
    desk.lose(crash, blamed=True)
    desk.lose(crash, blamed=True)
    assert crash_told(desk) == Crash("w3", 42, signal=9, attempts=2)


@pytest.mark.parametrize("crash", [b"", b"\xff nonsense"])
def test_an_item_that_may_run_once_only_is_crashed_by_any_loss(desk: Desk, crash: bytes) -> None:
    desk.submit(1, at_most_once=True)
    desk.lose(crash)
    assert crash_told(desk) == Crash("unknown")


def test_the_jobs_of_a_client_that_is_gone_are_cancelled_and_nobody_is_told(desk: Desk) -> None:
    desk.slow = True
    desk.submit(2, last=False)
    desk.told()
    drop_client(desk.books, "other")
    assert desk.cancels == []
    drop_client(desk.books, "client")
    desk.end(CANCELLED)
    desk.end(CANCELLED)
    sends, over = desk.books.flush()
    assert (sends, [job.id for job in over]) == ([], [JOB])
    assert desk.is_empty()


def test_outcomes_are_cut_where_a_message_is_full(desk: Desk) -> None:
    count = PARTS_PER_MESSAGE_MAX + 1
    desk.submit(count)
    for _ in range(count):
        desk.end()
    sizes = [len(message.indices) for message in desk.told() if isinstance(message, JobOutcomes)]
    assert sizes == [PARTS_PER_MESSAGE_MAX, 1]
