"""What a server makes of the records of an earlier one."""

from __future__ import annotations

import msgspec
import pytest

from tests._core.disk import CANCELLED, CRASHED, ERROR, TIMEOUT, VALUE, Disk, outcomes
from tests._core.makers import FN
from triort._core.attaching import drop_client, release
from triort._core.jobs import JobBooks
from triort._core.journal import Ledger
from triort._core.restoring import read_records, restore
from triort._model.errors import ProtocolError
from triort._model.ids import JobId
from triort._model.limits import DETACHED_KEEP_S, LEASE_S, SERIALS_BLOCK
from triort._model.messages import JobAccepted, JobEnded, JobOutcomes, JobRefused
from triort._model.outcomes import Crash


@pytest.fixture
def disk() -> Disk:
    return Disk()


def test_after_a_restart_what_has_not_ended_runs_again_and_all_is_told_once(disk: Disk) -> None:
    disk.submit(3)
    disk.step()
    [job] = disk.jobs()
    disk.end()
    disk.step()
    before = {attempt.address for attempt in disk.placed}
    disk.restart()
    assert (disk.books.requests.find("client", 1), disk.blobs) == (disk.books.jobs[JobId(job)], {job: {FN: b"code"}})
    disk.sync()
    assert [(attempt.index, attempt.payload) for attempt in disk.placed] == [(1, b"1"), (2, b"2")]
    assert not before & {attempt.address for attempt in disk.placed}
    assert disk.attach(job) == [JobAccepted(1, JobId(job), 3, "work"), outcomes(job, VALUE)]
    disk.end()
    disk.end()
    assert disk.step() == [outcomes(job, VALUE, VALUE, first=1), JobEnded(JobId(job))]
    release(disk.books, "client", JobId(job))
    assert disk.erased() == []


def test_a_job_that_ended_before_the_restart_is_told_whole(disk: Disk) -> None:
    disk.submit(2)
    disk.end()
    disk.end()
    disk.step()
    [job] = disk.jobs()
    disk.restart()
    assert disk.attach(job)[1:] == [outcomes(job, VALUE, VALUE), JobEnded(JobId(job))]
    release(disk.books, "client", JobId(job))
    assert disk.erased() == []


def test_a_client_that_did_not_hear_of_the_acceptance_submits_again_and_has_one_job(disk: Disk) -> None:
    disk.submit(2)
    disk.step()
    [job] = disk.jobs()
    disk.restart()
    assert not disk.submit(1, last=False)
    assert not disk.submit(1, first=False)
    assert disk.step() == [JobAccepted(1, JobId(job), 2, "work")]
    assert disk.jobs() == [job]
    assert len(disk.placed) == 2


def test_a_job_that_had_not_come_whole_is_dropped_and_comes_again(disk: Disk) -> None:
    disk.submit(2, last=False)
    disk.step()
    [job] = disk.jobs()
    disk.restart()
    disk.step()
    assert (disk.jobs(), disk.placed) == ([], [])
    assert disk.submit(2)
    disk.step()
    assert disk.jobs() != [job]


def test_items_that_may_run_once_only_have_crashed(disk: Disk) -> None:
    disk.submit(1, at_most_once=True)
    disk.step()
    [job] = disk.jobs()
    disk.restart()
    assert disk.placed == []
    disk.attach(job)
    [(index, result)] = disk.books.unreleased[JobId(job)].outcomes or []
    assert (index, result.kind) == (0, CRASHED)
    crash = msgspec.msgpack.decode(result.payload, type=Crash)
    assert crash.worker == "unknown (the server has been restarted)"


@pytest.mark.parametrize("how", ["cancel", "failure"])
def test_what_was_stopped_stays_stopped(disk: Disk, how: str) -> None:
    disk.cancel = lambda attempt: None  # type: ignore[method-assign]
    disk.books._cancel = lambda attempt: None
    disk.submit(3)
    disk.step()
    if how == "cancel":
        disk.books.cancel_job("client", 1)
    else:
        disk.end(ERROR)
    disk.step()
    [job] = disk.jobs()
    disk.restart()
    assert disk.placed == []
    told = disk.attach(job)
    kinds = [CANCELLED] * 3 if how == "cancel" else [ERROR, CANCELLED, CANCELLED]
    assert [kind for message in told if isinstance(message, JobOutcomes) for kind in message.kinds] == kinds
    assert told[-1] == JobEnded(JobId(job))


def test_deadlines_go_on(disk: Disk) -> None:
    disk.now = 50.0
    disk.submit(1, timeout_s=10.0)
    disk.submit(1, request=2, timeout_s=3.0)
    disk.step()
    first, second = disk.jobs()
    disk.now = 52.0
    disk.restart(after_s=4.0, now=7.0)
    assert disk.books.jobs[JobId(first)].deadline == 11.0
    assert disk.attach(second, 2)[1].kinds == [TIMEOUT]  # type: ignore[attr-defined]


def test_a_clock_that_was_put_back_gives_no_more_than_the_whole_time(disk: Disk) -> None:
    disk.submit(1, timeout_s=10.0)
    disk.step()
    disk.restart(after_s=-1_000.0)
    assert [job.deadline for job in disk.books.jobs.values()] == [10.0]


def test_jobs_wait_for_their_clients_for_a_lease(disk: Disk) -> None:
    for request in (1, 2, 3):
        disk.submit(request=request, detached=request == 3)
    disk.end()
    disk.step()
    first, _, third = disk.jobs()
    disk.restart()
    drop_client(disk.books, "client")
    assert disk.books.next_deadline() == LEASE_S
    disk.now = LEASE_S
    disk.step()
    disk.step()
    assert disk.jobs() == [third]
    assert [attempt.spec.job for attempt in disk.placed] == [third]
    assert first != third


def test_a_client_that_came_back_in_time_keeps_its_jobs(disk: Disk) -> None:
    disk.submit()
    disk.step()
    [job] = disk.jobs()
    disk.restart()
    disk.attach(job)
    disk.now = LEASE_S
    disk.step()
    assert (disk.jobs(), len(disk.placed)) == ([job], 1)
    drop_client(disk.books, "client")
    disk.step()
    disk.step()
    assert (disk.jobs(), disk.placed) == ([], [])


def test_another_client_cannot_have_them(disk: Disk) -> None:
    disk.submit()
    disk.step()
    [job] = disk.jobs()
    disk.restart()
    disk.come("other", 5)
    assert [type(message) for message in disk.attach(job, client="other")] == [JobRefused]


def test_detached_jobs_are_kept_for_what_is_left_of_their_time(disk: Disk) -> None:
    disk.now = 100.0
    disk.submit(detached=True)
    disk.end()
    disk.step()
    [job] = disk.jobs()
    disk.restart(after_s=10.0)
    assert disk.books.next_deadline() == LEASE_S
    assert disk.attach(job, 8, "other")[1:] == [outcomes(job, VALUE), JobEnded(JobId(job))]
    disk.now = DETACHED_KEEP_S - 10.0
    assert disk.erased() == []


def test_no_number_is_used_twice_even_if_the_server_dies_at_once(disk: Disk) -> None:
    used = set[int]()
    for _ in range(3):
        disk.submit(2)
        disk.submit(1, request=2)
        addresses = [*disk.books.jobs, *(attempt.address for attempt in disk.placed)]
        assert not used & set(addresses)
        used |= set(addresses)
        disk.records = [each for each in disk.records if not each[0]]
        disk.restart()


def test_a_journal_whose_numbers_are_used_up_is_refused() -> None:
    books = JobBooks(lambda attempts: None, lambda attempt: None, lambda: 0.0)
    books.ledger = Ledger()
    with pytest.raises(ProtocolError, match="used up"):
        restore(books, {}, 2**33 - SERIALS_BLOCK, [])


def test_records_that_make_no_sense_are_refused(disk: Disk) -> None:
    disk.submit()
    disk.end()
    disk.step()
    with pytest.raises(ProtocolError, match="nothing about job"):
        read_records([each for each in disk.records if each[0]][1:])
