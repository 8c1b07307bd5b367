"""The server's books about jobs: it owns their root tasks, so it keeps the payloads and submits lost ones again.

A job is one root task for each item that the client has sent (one for ``run``, many for ``map``). It is accepted when
its first items have come, or the last ones if it is to outlive its client or this server; outcomes go to the clients
that watch it as they come. The first failure of a map cancels its
other items; the job has ended when every item has.

A job ends with its client, unless it is *detached*: then its outcomes are kept, any client may attach to it, and when
it has ended it is remembered for a while (`KeptJobs`). With a `Ledger` all of it is written down, and each job is
remembered until its client has said that it has heard of the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from triort._core.attaching import end_lease, retire, tell_outcomes
from triort._core.attempts import Attempt, Result
from triort._core.deadlines import Deadlines
from triort._core.held import Held, rejection
from triort._core.job import Job
from triort._core.journal import Ledger, Stopped
from triort._core.kept_jobs import KeptJobs
from triort._core.leases import Leases
from triort._core.links import Loss, Send
from triort._core.requests import Requests
from triort._core.retries import after_loss, note_history
from triort._model.errors import ProtocolError
from triort._model.ids import Address, JobId, NodeId, make_address
from triort._model.marks import sometimes
from triort._model.messages import JobAccepted, JobEnded, Message, SubmitJob
from triort._model.outcomes import OutcomeKind


class JobBooks:
    """All jobs of a server; the `Owner` of its root tasks."""

    def __init__(
        self,
        submit: Callable[[list[Attempt]], None],
        cancel: Callable[[Attempt], None],
        clock: Callable[[], float],
    ) -> None:
        self.node_id = NodeId(0)
        self.clock = clock
        self.jobs: dict[JobId, Job] = {}
        """Those that have not ended."""
        self.kept = KeptJobs()
        self.unreleased: dict[JobId, Job] = {}
        """With a ledger: those that have ended, as their clients may not have heard."""
        self.requests = Requests()
        self.ledger: Ledger | None = None
        self.time_of_day_s = 0.0  # what the clock is behind the time of day
        self.leases = Leases()
        self.held = Held()
        self._submit = submit
        self._cancel = cancel
        self.serial = 0
        self._answers: list[Send] = []
        self._dirty: dict[JobId, Job] = {}
        self._deadlines = Deadlines(self.jobs)

    # -- clients -------------------------------------------------------------------------------------------------

    def find(self, job_id: JobId) -> Job | None:
        """The job of this number, if it is remembered."""
        return self.jobs.get(job_id) or self.kept.jobs.get(job_id) or self.unreleased.get(job_id)

    def answer(self, client: object, message: Message, parts: Sequence[bytes] = ()) -> None:
        """Tell a client, in order with all else that it is told."""
        self._answers.append(Send(client, message, parts))

    def open_job(self, client: object, message: SubmitJob) -> Job:
        """The job that the message is about: a new one, unless it adds items to an open one."""
        job = self.requests.find(client, message.request)
        if job is None:
            job = self._open(client, message)
            self.requests.enter(job, client, message.request)
        return job

    def add_items(self, job: Job, message: SubmitJob, parts: Sequence[bytes], blobs: Sequence[bytes] = ()) -> None:
        """The client has sent items of a job; ``parts`` are their payloads."""
        if job.complete:
            raise ProtocolError("a job got items after its last ones")
        size, blob_bytes = sum(map(len, parts)), sum(map(len, blobs))
        why = "" if job.cancelled else self.held.why_not_items(job, len(parts), size + blob_bytes)
        if why or job.cancelled:  # nobody will run them
            message = msgspec.structs.replace(message, sizes=[*map(len, blobs), *[0] * len(parts)])
            parts, size = [b""] * len(parts), 0
        job.blob_bytes += blob_bytes
        self.held.take(job.token, size + blob_bytes)
        if self.ledger is not None:
            self.ledger.note_taken(job, message, [*blobs, *parts], self.time_of_day_s)
        job.complete = message.last
        attempts = self._attempts(job, parts, job.num_items)
        job.num_items += len(attempts)
        self._dirty[job.id] = job
        if why or job.cancelled:
            kind, outcome = (OutcomeKind.ERROR, rejection(why)) if why else (OutcomeKind.CANCELLED, b"")
            for attempt in attempts:
                self._finish(job, attempt, Result(attempt.address, kind, 0, outcome))
        else:
            job.open.update((attempt.address, attempt) for attempt in attempts)
            self.place(job, attempts, once_durable=job.spec.options.at_most_once)

    def cancel_job(self, client: object, request: int) -> None:
        """The client wants the job no more; unknown ones are ignored."""
        job = self.requests.find(client, request)
        if job is not None and job.id in self.jobs:
            self.stop(job)

    def next_deadline(self) -> float | None:
        """When `expire` has something to do."""
        return min([*self._deadlines.next(), *self.leases.until.values(), *self.kept.deadlines()], default=None)

    def expire(self) -> None:
        """Time has passed: jobs beyond their deadline are stopped, and those that were kept long enough forgotten."""
        if not (self._deadlines or self.kept.jobs or self.leases.until):
            return  # as mostly, and this is asked after each batch of events
        for job in [self.jobs[job_id] for job_id in self._deadlines.pop_due(self.clock())]:
            job.timed_out = job.timed_out or not job.cancelled
            self.stop(job)
        for old in self.kept.pop_expired(self.clock()):
            self.forget(old)
        for token in self.leases.pop_due(self.clock()):
            end_lease(self, token)

    # -- the owner's side of the hop rule ------------------------------------------------------------------------

    def settle(self, attempt: Attempt, result: Result) -> None:
        """A root task has ended."""
        job = self.jobs[attempt.spec.job]
        del job.open[attempt.address]
        index = attempt.index
        options = attempt.spec.options
        if result.kind == OutcomeKind.ERROR and not job.cancelled and job.retried.get(index, 0) < options.retries:
            sometimes("an item that raised is run again")
            job.retried = {**job.retried, index: job.retried.get(index, 0) + 1}
            self._again(job, attempt)
            return
        self._finish(job, attempt, result)

    def settle_values(self, attempts: list[Attempt], results: list[Result]) -> None:
        """Root tasks have ended with values."""
        job = self.jobs[attempts[0].spec.job]
        if {attempt.spec.job for attempt in attempts} != {job.id}:
            for attempt, result in zip(attempts, results, strict=True):
                self.settle(attempt, result)
            return
        for attempt in attempts:
            del job.open[attempt.address]
        self._note_ended(job, attempts, results)

    def lose(self, attempt: Attempt, loss: Loss) -> None:
        """A root task is lost: again, unless it was to blame too often or may run once only."""
        job = self.jobs[attempt.spec.job]
        del job.open[attempt.address]
        crashes = job.crashes.get(attempt.index, 0) + loss.blamed
        if loss.blamed:
            job.crashes = {**job.crashes, attempt.index: crashes}
        result = after_loss(attempt, loss, crashes, job.cancelled)
        if result is None:
            self._again(job, attempt, loss)
        else:
            self._finish(job, attempt, result)

    def is_taken_early(self, job: Job) -> bool:
        """Whether it is accepted when its first items have come: one that ends with its client, and is nowhere else."""
        return self.ledger is None and not job.detached

    def flush(self) -> tuple[list[Send], list[Job]]:
        """What clients are to be told, and the jobs that have ended."""
        sends, self._answers = self._answers, []
        over = []
        for job in self._dirty.values():
            if not job.accepted and (job.complete or self.is_taken_early(job)):
                job.accepted = True
                sends += [Send(client, JobAccepted(job.request, job.id), ()) for client in job.watchers]
            if job.accepted and job.ended:
                sends += tell_outcomes(self, job)
            if job.complete and not job.open:
                del self.jobs[job.id]
                over.append(job)
                sends += [Send(client, JobEnded(job.id), ()) for client in job.watchers]
                self.held.give(job.token, job.blob_bytes)
                retire(self, job, self.clock())
        self._dirty = {}
        return sends, over

    # -- inside --------------------------------------------------------------------------------------------------

    def _open(self, client: object, message: SubmitJob) -> Job:
        job_id = JobId(make_address(self.node_id, self._reserve(1)))
        spec = msgspec.structs.replace(message.spec, job=job_id)
        timeout = spec.options.timeout_s
        deadline = None if timeout is None else self.clock() + timeout
        token = self.requests.token_of(client)
        job = Job(job_id, client, message.request, spec, deadline, token, message.single, message.detached)
        job.returnable = self.ledger is not None and client in self.requests.tokens
        job.watchers[client] = None
        self.enter(job)
        return job

    def enter(self, job: Job) -> None:
        """The job is open from now on."""
        self.jobs[job.id] = job
        if job.deadline is not None:
            self._deadlines.add(job.deadline, job.id)

    def forget(self, job: Job) -> None:
        """Nothing of the job is remembered."""
        self.requests.forget(job)
        if self.ledger is not None:
            self.ledger.erase(job.id)

    def place(self, job: Job, attempts: list[Attempt], *, once_durable: bool = False) -> None:
        """Submit, now or when the disk has what has to be there before."""
        if self.ledger is None or (self.ledger.may_use(self.serial) and not once_durable):
            self._submit(attempts)
            return
        job.held = job.held or []
        job.held += attempts
        if job.complete or not once_durable:
            self.ledger.hold(job)

    def start(self, job: Job) -> None:
        """What the job waited for is on disk."""
        if held := job.take_held():
            self._submit(held)

    def _reserve(self, count: int) -> int:
        """The first of so many numbers that nothing else has had."""
        first = self.serial + 1
        self.serial += count
        if self.ledger is not None:
            self.ledger.reserve(self.serial)
        return first

    def _attempts(self, job: Job, payloads: Sequence[bytes | None], index: int) -> list[Attempt]:
        """New ones, for the items from this one on."""
        first, spec, deadline = make_address(self.node_id, self._reserve(len(payloads))), job.spec, job.deadline
        return [
            Attempt(Address(first + i), spec, payload, None, None, deadline, index + i)
            for i, payload in enumerate(payloads)
        ]

    def reopen(self, job: Job, payload: bytes | None, index: int) -> Attempt:
        """One more attempt of an item."""
        (attempt,) = self._attempts(job, [payload], index)
        job.open[attempt.address] = attempt
        return attempt

    def _again(self, job: Job, attempt: Attempt, loss: Loss | None = None) -> None:
        (fresh,) = self._attempts(job, [attempt.payload], attempt.index)
        note_history(fresh, attempt, loss, job.crashes.get(attempt.index, 0))
        job.open[fresh.address] = fresh
        self.place(job, [fresh])

    def _finish(self, job: Job, attempt: Attempt, result: Result) -> None:
        if job.timed_out and result.kind == OutcomeKind.CANCELLED:
            timeout = str(job.spec.options.timeout_s).encode()
            result = Result(result.address, OutcomeKind.TIMEOUT, result.duration_us, timeout)
        elif job.verdict and result.kind == OutcomeKind.CANCELLED:
            result = Result(result.address, OutcomeKind.CRASHED, result.duration_us, job.verdict)
        self._note_ended(job, [attempt], [result])
        if result.kind != OutcomeKind.VALUE:
            self.stop(job)

    def _note_ended(self, job: Job, attempts: list[Attempt], results: list[Result]) -> None:
        self.held.give(job.token, sum([len(attempt.payload or b"") for attempt in attempts]))
        if job.ended is None:
            job.ended = []
        job.ended += zip([attempt.index for attempt in attempts], results, strict=True)
        self._dirty[job.id] = job

    def stop(self, job: Job) -> None:
        """Nobody wants any more what is open of the job."""
        if not job.cancelled:
            job.cancelled = True
            if self.ledger is not None:
                self.ledger.note(job.id, Stopped(job.timed_out, job.verdict))
            for attempt in list(job.open.values()):
                self._cancel(attempt)
            for attempt in job.take_held():
                self.settle(attempt, Result(attempt.address, OutcomeKind.CANCELLED, 0, b""))
