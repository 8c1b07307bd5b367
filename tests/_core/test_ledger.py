"""What waits for the disk, and what happens when that fails."""

from __future__ import annotations

from typing import Any

import pytest

from tests._core.disk import CANCELLED, VALUE, Disk, outcomes
from tests._core.makers import make_spec
from triort._core.attaching import attach, drop_client, release
from triort._core.attempts import Result
from triort._core.journal import Ledger, Serials, Taken, decode_record, encode_record
from triort._core.links import Loss, Send
from triort._core.restoring import fail_ledger
from triort._model import limits
from triort._model.errors import ProtocolError
from triort._model.ids import JobId
from triort._model.messages import AttachJob, JobAccepted, JobEnded, JobOutcomes, JobRefused, SubmitJob


@pytest.fixture
def disk() -> Disk:
    return Disk()


def test_records_survive_the_way_to_the_disk_and_others_are_refused() -> None:
    message = SubmitJob(3, make_spec(), 1, True, [4, 0, 1])
    record = Taken(77, message, 2.5)
    data = b"".join(encode_record(record, [b"code", b"", b"x"]))
    assert decode_record(data) == (record, [b"code", b"", b"x"])
    for wrong in (b"", data[:-1], data + b"y", b"\0\0\0\1\xc1", data[:3]):
        with pytest.raises(ProtocolError):
            decode_record(wrong)


def test_nothing_is_told_before_it_is_on_disk_and_all_in_order(disk: Disk) -> None:
    disk.submit(2)
    assert disk.flush() == []
    disk.end()
    assert disk.flush() == []
    disk.end()
    assert disk.flush() == []
    job = next(iter(disk.books.unreleased))
    assert disk.sync() == [
        JobAccepted(1, JobId(job)), outcomes(job, VALUE), outcomes(job, VALUE, first=1), JobEnded(JobId(job))
    ]  # fmt: skip


def test_what_needs_no_disk_does_not_wait_unless_something_before_it_does(disk: Disk) -> None:
    attach(disk.books, "other", AttachJob(9, JobId(99)))
    assert [type(message) for message in disk.flush()] == [JobRefused]
    disk.submit()
    attach(disk.books, "other", AttachJob(9, JobId(99)))
    assert disk.flush() == []
    assert [type(message) for message in disk.sync()] == [JobRefused, JobAccepted]


def test_a_part_of_what_was_taken_lets_out_a_part_of_what_waits() -> None:
    ledger, sends = Ledger(), [Send("client", JobEnded(JobId(number)), ()) for number in range(3)]
    for number in (1, 2):
        ledger.note(JobId(number), Serials(0))
        assert ledger.close_batch([sends[number]]) == []
        assert ledger.take_writes()[0] == number
    assert ledger.commit(1)[0] == [sends[1]]
    assert ledger.pending_bytes > 0
    assert ledger.commit(2)[0] == [sends[2]]
    assert ledger.pending_bytes == 0
    assert ledger.close_batch([sends[0]]) == [sends[0]]


def test_erasures_wait_for_other_writes_unless_they_are_many(disk: Disk, monkeypatch: Any) -> None:
    monkeypatch.setattr("triort._core.journal.JOURNAL_ERASURES_MAX", 2)
    for request in (1, 2, 3):
        disk.submit(request=request, detached=True)
        disk.end()
    disk.step()
    first, second, third = disk.jobs()
    release(disk.books, "client", JobId(first))
    attach(disk.books, "other", AttachJob(9, JobId(99)))
    assert [type(message) for message in disk.flush()] == [JobRefused]
    disk.sync()
    assert disk.jobs() == [first, second, third]
    release(disk.books, "client", JobId(second))
    disk.step()
    assert disk.jobs() == [third]


def test_work_goes_on_while_the_disk_is_busy_unless_it_may_run_once_only(disk: Disk) -> None:
    disk.submit()
    assert len(disk.placed) == 1
    disk.submit(2, request=2, at_most_once=True, last=False)
    disk.step()
    assert len(disk.placed) == 1
    disk.submit(1, request=2, at_most_once=True, first=False)
    disk.flush()
    assert len(disk.placed) == 1
    disk.sync()
    assert len(disk.placed) == 4


def test_what_waits_for_the_disk_can_be_cancelled(disk: Disk) -> None:
    disk.submit(2, at_most_once=True)
    disk.flush()
    disk.books.cancel_job("client", 1)
    told = disk.flush() + disk.sync()
    assert [type(message) for message in told] == [JobAccepted, JobOutcomes, JobEnded]
    assert told[1].kinds == [CANCELLED] * 2  # type: ignore[attr-defined]
    assert disk.placed == []


def test_a_job_is_remembered_until_its_client_has_heard_of_the_end(disk: Disk) -> None:
    disk.submit()
    disk.step()
    [job] = disk.jobs()
    disk.end()
    disk.step()
    assert disk.jobs() == [job]
    release(disk.books, "other", JobId(job))
    assert (disk.step(), list(disk.books.unreleased)) == ([], [job])
    release(disk.books, "client", JobId(job))
    assert (disk.step(), disk.jobs(), disk.erased()) == ([], [job], [])
    assert not disk.books.requests.jobs


def test_the_job_of_a_client_that_leaves_is_erased(disk: Disk) -> None:
    for request in (1, 2):
        disk.submit(request=request)
    disk.end()
    disk.step()
    assert len(disk.jobs()) == 2
    drop_client(disk.books, "client")
    disk.step()
    assert (disk.jobs(), disk.books.requests.jobs, disk.books.unreleased) == ([], {}, {})


def test_more_items_than_numbers_are_reserved_wait_for_the_disk() -> None:
    disk = Disk(synced=False)
    disk.submit()
    assert disk.placed == []  # nothing is reserved before the first commit
    disk.step()
    assert len(disk.placed) == 1
    disk.books.serial = disk.books.ledger.serial_limit  # type: ignore[union-attr]
    disk.end()
    disk.submit(request=2)
    assert disk.placed == []
    disk.step()
    assert len(disk.placed) == 1


def test_jobs_that_may_run_once_only_use_up_numbers_too(disk: Disk, monkeypatch: Any) -> None:
    monkeypatch.setattr("triort._core.journal.SERIALS_BLOCK", 8)
    assert disk.books.ledger is not None
    disk.books.serial = disk.books.ledger.serial_limit - 8
    for request in range(1, 20):
        disk.submit(request=request, at_most_once=True)
        disk.step()
    used = disk.books.serial
    disk.restart()
    assert disk.books.serial >= used


def test_the_disk_may_fail_before_a_batch_is_through(disk: Disk) -> None:
    ledger = disk.books.ledger
    assert ledger is not None
    disk.submit()
    disk.books.serial = ledger.serial_limit
    disk.submit(request=2)
    disk.submit(request=3)
    disk.step()
    placed = len(disk.placed)
    disk.books.serial = ledger.serial_limit
    attempt = disk.placed.pop(0)
    disk.books.lose(attempt, Loss(attempt.address, False, b""))
    assert len(disk.placed) == placed - 1
    disk.submit(request=4)
    fail_ledger(disk.books, "I/O error")
    assert [type(message) for message in disk.flush()] == [JobRefused]
    assert len(disk.placed) == placed
    assert not disk.books.requests.refused


def test_the_disk_may_fail_when_a_client_has_left(disk: Disk) -> None:
    disk.submit(detached=True)
    disk.flush()
    drop_client(disk.books, "client")
    fail_ledger(disk.books, "I/O error")
    assert disk.flush() == []


def test_a_job_that_ends_beyond_its_deadline_because_it_was_cancelled_is_cancelled(disk: Disk) -> None:
    disk.submit(2, timeout_s=5.0)
    disk.step()
    cancelled = list(disk.placed)
    disk.placed.clear()  # their ends are under way
    disk.books.cancel_job("client", 1)
    disk.now = 6.0
    disk.step()
    for attempt in cancelled:
        disk.books.settle(attempt, Result(attempt.address, CANCELLED, 0, b""))
    [told] = [message for message in disk.step() if isinstance(message, JobOutcomes)]
    assert told.kinds == [CANCELLED] * 2


def test_when_the_disk_fails_running_jobs_go_on_and_new_ones_are_refused(disk: Disk) -> None:
    disk.submit()
    disk.step()
    [job] = disk.jobs()
    disk.end()
    disk.flush()
    disk.submit(2, request=2)
    disk.submit(1, request=3, last=False)
    disk.flush()
    out = [send.message for send in fail_ledger(disk.books, "no space left")]
    assert out == [outcomes(job, VALUE), JobEnded(JobId(job))]
    problem = "the server's journal has failed: no space left"
    assert disk.flush() == [JobRefused(2, problem)]
    assert not disk.submit(1, request=3, first=False)
    assert not disk.submit(1, request=4, last=False)
    assert not disk.submit(1, request=4, first=False)
    assert disk.flush() == [JobRefused(3, problem), JobRefused(4, problem)]
    assert (disk.placed, disk.books.jobs, disk.books.requests.refused) == ([], {}, {})


def test_what_was_accepted_goes_on_after_the_failure(disk: Disk) -> None:
    disk.submit(2)
    disk.step()
    fail_ledger(disk.books, "I/O error")
    disk.end()
    assert [type(message) for message in disk.flush()] == [JobOutcomes]
    disk.end()
    assert [type(message) for message in disk.flush()] == [JobOutcomes, JobEnded]


def test_a_disk_that_does_not_keep_up_gets_no_more_jobs(disk: Disk, monkeypatch: Any) -> None:
    monkeypatch.setattr("triort._core.journal.JOURNAL_PENDING_BYTES_MAX", 10)
    disk.submit()
    disk.flush()
    assert not disk.submit(request=2)
    disk.flush()
    assert not disk.submit(request=3, last=False)
    assert "too slow" in disk.sync()[-1].reason  # type: ignore[attr-defined]
    assert not disk.submit(request=3, first=False)
    assert [type(message) for message in disk.flush()] == [JobRefused]
    assert disk.submit(request=2)
    assert limits.JOURNAL_PENDING_BYTES_MAX > 10
