"""How clients come to jobs that are there already (they attach, come back after a restart of the server) and leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from triort._core.attempts import Result
from triort._core.job import Job
from triort._core.journal import Over, Told
from triort._core.links import Send
from triort._core.packing import batched
from triort._model.ids import JobId
from triort._model.limits import PARTS_PER_MESSAGE_MAX
from triort._model.marks import sometimes
from triort._model.messages import AttachJob, JobAccepted, JobEnded, JobOutcomes, JobRefused, SubmitJob

if TYPE_CHECKING:
    from triort._core.jobs import JobBooks


def attach(books: JobBooks, client: object, message: AttachJob) -> None:
    """A client wants to be told of a job, from its first outcome on: one that is detached, or its own from before."""
    job = books.find(message.job)
    if job is None or not job.accepted:
        reason = f"there is no job {message.job} here: it never was, or it has ended and has been forgotten"
        books.answer(client, JobRefused(message.request, reason))
    elif not (job.detached or (job.returnable and job.token == books.requests.token_of(client))):
        reason = f"job {message.job} is not detached: it belongs to the client that has submitted it"
        books.answer(client, JobRefused(message.request, reason))
    else:
        watch(books, client, message.request, job)


def watch(books: JobBooks, client: object, request: int, job: Job) -> None:
    """The client is told of the job from now on, and of all that it would have been told so far."""
    if job.client is None and job.token == books.requests.token_of(client):
        job.client = client
    job.watchers[client] = None
    books.requests.enter(job, client, request)
    name = job.spec.options.name or job.spec.function_name
    books.answer(client, JobAccepted(request, job.id, job.num_items, name, job.single))
    for outcomes, parts in outcome_messages(job, job.outcomes or ()):
        books.answer(client, outcomes, parts)
    if job.id not in books.jobs:
        books.answer(client, JobEnded(job.id))


def is_repeated(books: JobBooks, client: object, message: SubmitJob) -> bool:
    """Whether the client, who has come back, submits a job that is there already: then it watches that."""
    job = books.requests.find(client, message.request)
    if job is None or not job.accepted or client in job.watchers:
        return False
    if message.last:
        watch(books, client, message.request, job)
    return True


def is_refused(books: JobBooks, client: object, message: SubmitJob) -> bool:
    """Whether no job can be taken now, or not this one, and this is (more of) a new one."""
    key = token, _ = books.requests.token_of(client), message.request
    refused = books.requests.refused
    if key not in refused:
        if books.requests.find(client, message.request) is not None:
            return False
        problem = books.ledger.problem() if books.ledger is not None else None
        problem = problem or books.held.why_not(token, sum(message.sizes))
        if not problem:
            return False
        refused[key] = problem
    if message.last:
        books.answer(client, JobRefused(message.request, refused.pop(key)))
    return True


def release(books: JobBooks, client: object, job_id: JobId) -> None:
    """Nobody will ask for the job again: it is forgotten, at its end if it has not ended."""
    job = books.find(job_id)
    if job is None or not (job.detached or job.token == books.requests.token_of(client)):
        return
    if job.detached:
        job.released = True
    if books.kept.pop(job_id) or books.unreleased.pop(job_id, None) is not None:
        books.forget(job)


def drop_client(books: JobBooks, client: object, *, may_return: bool = False) -> None:
    """The client is gone: its jobs are cancelled, unless they are detached, or can wait for it to return."""
    jobs = [*books.jobs.values(), *books.kept.jobs.values(), *books.unreleased.values()]
    watched = [job for job in jobs if client in job.watchers]
    books.requests.leave(client, watched)
    for job in watched:
        del job.watchers[client]
        if job.client == client:
            job.client = None
            if may_return and job.returnable and job.accepted:
                books.leases.begin(job.token, books.clock())
            elif not (job.detached and job.accepted):
                drop(books, job)


def drop(books: JobBooks, job: Job) -> None:
    """Nobody wants the job any more."""
    if books.kept.pop(job.id) or books.unreleased.pop(job.id, None) is not None:
        books.forget(job)
        return
    sometimes("a client leaves with a job open")
    job.complete = job.dropped = True
    books.requests.forget(job)
    books.stop(job)
    books._dirty[job.id] = job


def end_lease(books: JobBooks, token: object) -> None:
    """The client of this token has had time enough to come back: what it has not come for ends."""
    for job in [*books.jobs.values(), *books.unreleased.values()]:
        if job.token == token and job.client is None and not job.detached:
            drop(books, job)
    if token and not books.requests.links_of(token):
        books.leases.give_up(token)


def retire(books: JobBooks, job: Job, now: float) -> None:
    """The job has ended: it is kept for a while, or until its client has heard of it, or forgotten."""
    job.over_since = now
    is_wanted = not (job.dropped or job.released)
    if is_wanted and job.detached:
        if books.ledger is not None:
            books.ledger.note(job.id, Over(books.time_of_day_s + now))
        for old in books.kept.add(job):
            books.forget(old)
    elif is_wanted and books.ledger is not None:
        books.unreleased[job.id] = job
    else:
        books.forget(job)


def outcome_messages(job: Job, ended: Sequence[tuple[int, Result]]) -> list[tuple[JobOutcomes, list[bytes]]]:
    """The messages that tell of outcomes."""
    messages = []
    for batch in batched(list(ended), PARTS_PER_MESSAGE_MAX):
        parts = [result.payload for _, result in batch]
        kinds = [int(result.kind) for _, result in batch]
        message = JobOutcomes(job.id, [index for index, _ in batch], kinds, [len(part) for part in parts])
        messages.append((message, parts))
    return messages


def tell_outcomes(books: JobBooks, job: Job) -> list[Send]:
    """What those who watch the job are told of its items that have ended; written down, and kept, where it is to be."""
    sends = []
    ended, job.ended = job.ended or [], None
    for message, parts in outcome_messages(job, ended):
        if books.ledger is not None and not job.dropped:
            books.ledger.note(job.id, Told(message), parts)
        sends += [Send(client, message, parts) for client in job.watchers]
    if job.keeps_outcomes:
        job.outcomes = job.outcomes or []
        job.outcomes += ended
    return sends
