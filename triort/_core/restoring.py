"""How a server's jobs and its journal come together: after a restart, after a commit, after a failure of the disk.

After a restart each job that was accepted goes on. Items without a recorded outcome are submitted again; of a job that
may run *at most once* they end as `TaskCrashed`, for they may have started. Jobs that had not come whole are dropped:
their clients have not heard that they were accepted, and send them again. Counts of crashes and retries begin anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs
import msgspec

from triort._core.attaching import drop, retire
from triort._core.attempts import Result
from triort._core.crash_budget import CrashBudget
from triort._core.job import Job
from triort._core.journal import Over, Serials, Stopped, Taken, Told, decode_record
from triort._core.links import BlobStore, Loss, Send
from triort._model.errors import ProtocolError
from triort._model.ids import SERIAL_LIMIT, Address, JobId
from triort._model.limits import SERIALS_BLOCK
from triort._model.messages import JobAccepted, JobRefused
from triort._model.outcomes import Crash, OutcomeKind

if TYPE_CHECKING:
    from triort._core.jobs import JobBooks

_NOWHERE = Address(0)
_CRASH = msgspec.msgpack.encode(Crash("unknown (the server has been restarted)"))


@attrs.define(eq=False)
class StoredJob:
    """A job as its records tell it."""

    id: JobId
    first: Taken
    blobs: list[bytes]
    payloads: list[bytes] = attrs.Factory(list)
    complete: bool = False
    outcomes: list[tuple[int, Result]] = attrs.Factory(list)
    stopped: Stopped | None = None
    over: Over | None = None


def read_records(stored: Iterable[tuple[JobId, bytes]]) -> tuple[int, list[StoredJob]]:
    """The last number that may have been used, and the jobs; raises `ProtocolError` when it makes no sense."""
    serial = 0
    jobs: dict[JobId, StoredJob] = {}
    for job_id, data in stored:
        record, parts = decode_record(data)
        if isinstance(record, Serials):
            serial = max(serial, record.limit)
        elif isinstance(record, Taken):
            job = jobs.get(job_id) or jobs.setdefault(job_id, StoredJob(job_id, record, parts[: record.message.blobs]))
            job.payloads += parts[record.message.blobs :]
            job.complete = record.message.last
        elif job_id not in jobs:
            raise ProtocolError(f"there is nothing about job {job_id} before its {type(record).__name__}")
        elif isinstance(record, Told):
            job, told = jobs[job_id], record.message
            for index, kind, part in zip(told.indices, told.kinds, parts, strict=True):
                job.outcomes.append((index, Result(_NOWHERE, kind, 0, part)))
        elif isinstance(record, Stopped):
            jobs[job_id].stopped = record
        else:
            jobs[job_id].over = record
    return serial, list(jobs.values())


def restore(books: JobBooks, blobs: BlobStore, serial: int, stored: list[StoredJob]) -> None:
    """Take up the jobs of an earlier server; its numbers are not used again."""
    if serial + SERIALS_BLOCK >= SERIAL_LIMIT:
        raise ProtocolError("all its numbers are used up; begin a new one")
    assert books.ledger is not None
    books.serial = books.ledger.serial_limit = serial
    books.ledger.reserve(serial)
    for each in stored:
        if each.complete:
            _restore_job(books, blobs, each)
        else:
            books.ledger.erase(each.id)


def _restore_job(books: JobBooks, blobs: BlobStore, stored: StoredJob) -> None:
    message, now = stored.first.message, books.clock()
    deadline, spec = stored.first.deadline_s, message.spec
    if deadline is not None:
        deadline = min(deadline - books.time_of_day_s, now + (spec.options.timeout_s or 0.0))
    job = Job(stored.id, None, message.request, spec, deadline, stored.first.client, message.single, message.detached)
    job.returnable = job.complete = job.accepted = True
    job.num_items, job.outcomes = len(stored.payloads), stored.outcomes
    books.requests.enter(job, job.token, job.request)
    books.leases.begin(job.token, now)
    has = {index for index, _ in stored.outcomes}
    missing = [index for index in range(job.num_items) if index not in has]
    if not missing:
        retire(books, job, min(stored.over.since_s - books.time_of_day_s, now) if stored.over else now)
        return
    blobs[job.id] = dict(zip((spec.function, *spec.blobs), stored.blobs, strict=False))
    job.blob_bytes = sum(map(len, stored.blobs))
    books.held.take(job.token, job.blob_bytes + sum([len(stored.payloads[index]) for index in missing]))
    books.enter(job)
    attempts = [books.reopen(job, stored.payloads[index], index) for index in missing]
    if stored.stopped is not None:
        job.cancelled, job.timed_out = True, stored.stopped.timed_out
        job.budget = CrashBudget(verdict=stored.stopped.verdict)
        for attempt in attempts:
            books.settle(attempt, Result(attempt.address, OutcomeKind.CANCELLED, 0, b""))
    elif spec.options.at_most_once:
        for attempt in attempts:
            books.lose(attempt, Loss(attempt.address, False, _CRASH))
    else:
        books.place(job, attempts)


def commit(books: JobBooks, number: int) -> list[Send]:
    """The writes up to this one are on disk; returns what clients may be told now."""
    assert books.ledger is not None
    sends, starts = books.ledger.commit(number)
    for job in starts:
        books.start(job)
    return sends


def fail_ledger(books: JobBooks, reason: str) -> list[Send]:
    """The disk has failed: what waited for it goes on, but jobs that are not recorded are refused."""
    assert books.ledger is not None
    sends, starts = books.ledger.fail(reason)
    problem = books.ledger.problem() or reason
    messages = [send.message for send in sends]
    unheard = {each.job for each in messages if isinstance(each, JobAccepted) and each.num_items < 0}
    for job in list(filter(None, map(books.find, unheard))):
        if job.client is not None:
            books.answer(job.client, JobRefused(job.request, problem))
        job.watchers.clear()
        drop(books, job)
    for job in [job for job in books.jobs.values() if not job.accepted]:
        if not job.complete:  # what is to come of it is refused, with its last part
            books.requests.refused[job.token, job.request] = problem
        elif job.client is not None:
            books.answer(job.client, JobRefused(job.request, problem))
        job.watchers.clear()
        drop(books, job)
    for job in starts:
        books.start(job)
    return [send for send in sends if getattr(send.message, "job", None) not in unheard]
