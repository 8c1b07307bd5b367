"""The server's books about jobs: it owns their root tasks, so it keeps the payloads and submits lost ones again.

A job is one root task for each item that the client has sent (one for ``run``, many for ``map``). It is accepted when
its last item has come; outcomes go to the clients that watch it as they come. The first failure of a map cancels its
other items; the job has ended when every item has.

A job ends with its client, unless it is *detached*: then its outcomes are kept, any client may attach to it, and when
it has ended it is remembered for a while (`KeptJobs`).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

import msgspec

from triort._core.attempts import Attempt, Result
from triort._core.job import Job
from triort._core.kept_jobs import KeptJobs
from triort._core.links import Loss, Send
from triort._core.packing import batched
from triort._core.retries import after_loss
from triort._model.errors import ProtocolError
from triort._model.ids import JobId, NodeId, make_address
from triort._model.limits import PARTS_PER_MESSAGE_MAX
from triort._model.marks import sometimes
from triort._model.messages import AttachJob, JobAccepted, JobEnded, JobOutcomes, JobRefused, SubmitJob
from triort._model.outcomes import OutcomeKind

DEADLINES_SPARE = 64


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
        self._of_request: dict[tuple[object, int], Job] = {}
        self._submit = submit
        self._cancel = cancel
        self._serial = 0
        self.kept = KeptJobs()
        self._answers: list[Send] = []
        self._dirty: dict[JobId, Job] = {}
        self._deadlines: list[tuple[float, JobId]] = []

    def open_job(self, client: object, message: SubmitJob) -> JobId:
        """The job that the message is about: a new one, unless it adds items to an open one."""
        key = (client, message.request)
        job = self._of_request.get(key)
        if job is None:
            job = self._of_request[key] = self._open(client, message)
        return job.id

    def add_items(self, client: object, message: SubmitJob, parts: Sequence[bytes]) -> None:
        """The client has sent items of a job; ``parts`` are their payloads."""
        job = self._of_request[client, message.request]
        if job.complete:
            raise ProtocolError("a job got items after its last ones")
        job.complete = message.last
        attempts = []
        for payload in parts:
            attempt = self._attempt(job, payload, job.num_items)
            job.open[attempt.address] = attempt
            job.num_items += 1
            attempts.append(attempt)
        self._dirty[job.id] = job
        if job.cancelled:
            for attempt in attempts:
                self.settle(attempt, Result(attempt.address, OutcomeKind.CANCELLED, 0, b""))
        else:
            self._submit(attempts)

    def cancel_job(self, client: object, request: int) -> None:
        """The client wants the job no more; unknown ones are ignored."""
        job = self._of_request.get((client, request))
        if job is not None:
            self._stop(job)

    def drop_client(self, client: object) -> None:
        """The client is gone: its jobs are cancelled, unless they are detached, and nobody is told of their end."""
        for job in [*self.jobs.values(), *self.kept.jobs.values()]:
            if client not in job.watchers:
                continue
            del job.watchers[client]
            for key in [key for key in job.requests if key[0] == client]:
                job.requests.remove(key)
                del self._of_request[key]
            if job.client == client and not (job.detached and job.accepted):
                sometimes("a client leaves with a job open")
                job.complete = job.dropped = True
                self._stop(job)
                self._dirty[job.id] = job

    def attach(self, client: object, message: AttachJob) -> None:
        """A client wants to be told of a job, from its first outcome on; it has to be detached."""
        job = self.jobs.get(message.job) or self.kept.jobs.get(message.job)
        if job is None or not job.accepted:
            reason = f"there is no job {message.job} here: it never was, or it has ended and has been forgotten"
            self._answers.append(Send(client, JobRefused(message.request, reason), ()))
            return
        if not job.detached:
            reason = f"job {message.job} is not detached: it belongs to the client that has submitted it"
            self._answers.append(Send(client, JobRefused(message.request, reason), ()))
            return
        job.watchers[client] = None
        key = (client, message.request)
        if key not in self._of_request:
            job.requests.append(key)
            self._of_request[key] = job
        name = job.spec.options.name or job.spec.function_name
        self._answers.append(Send(client, JobAccepted(message.request, job.id, job.num_items, name, job.single), ()))
        self._answers += self._outcomes(job, job.outcomes, [client])
        if job.id in self.kept.jobs:
            self._answers.append(Send(client, JobEnded(job.id), ()))

    def release(self, client: object, job_id: JobId) -> None:
        """Nobody will ask for the job again: it is forgotten, at its end if it has not ended."""
        job = self.jobs.get(job_id) or self.kept.jobs.get(job_id)
        if job is not None and job.detached:
            job.released = True
            if self.kept.pop(job_id):
                self._forget(job)

    def next_deadline(self) -> float | None:
        """When `expire` has something to do."""
        while self._deadlines and self._deadlines[0][1] not in self.jobs:
            heapq.heappop(self._deadlines)
        times = [self._deadlines[0][0]] if self._deadlines else []
        return min([*times, *self.kept.deadlines()], default=None)

    def expire(self) -> None:
        """Time has passed: jobs beyond their deadline are stopped, and those that were kept long enough forgotten."""
        while self._deadlines and self._deadlines[0][0] <= self.clock():
            job = self.jobs.get(heapq.heappop(self._deadlines)[1])
            if job is not None:
                job.timed_out = True
                self._stop(job)
        for old in self.kept.pop_expired(self.clock()):
            self._forget(old)

    # -- the owner's side of the hop rule ------------------------------------------------------------------------

    def settle(self, attempt: Attempt, result: Result) -> None:
        """A root task has ended."""
        job = self.jobs[attempt.spec.job]
        del job.open[attempt.address]
        index = attempt.index
        options = attempt.spec.options
        if result.kind == OutcomeKind.ERROR and not job.cancelled and job.retried.get(index, 0) < options.retries:
            sometimes("an item that raised is run again")
            job.retried[index] = job.retried.get(index, 0) + 1
            self._again(job, attempt)
            return
        self._finish(job, index, result)

    def lose(self, attempt: Attempt, loss: Loss) -> None:
        """A root task is lost: again, unless it was to blame too often or may run once only."""
        job = self.jobs[attempt.spec.job]
        del job.open[attempt.address]
        index = attempt.index
        crashes = job.crashes[index] = job.crashes.get(index, 0) + loss.blamed
        result = after_loss(attempt, loss, crashes, job.cancelled)
        if result is None:
            self._again(job, attempt)
        else:
            self._finish(job, index, result)

    def flush(self) -> tuple[list[Send], list[Job]]:
        """What clients are to be told, and the jobs that have ended."""
        sends, self._answers = self._answers, []
        over = []
        for job in self._dirty.values():
            if job.complete and not job.accepted:
                job.accepted = True
                sends += [Send(client, JobAccepted(job.request, job.id), ()) for client in job.watchers]
            if job.accepted:
                sends += self._outcomes(job, job.ended, list(job.watchers))
                if job.detached:
                    job.outcomes += job.ended
                job.ended = []
            if job.complete and not job.open:
                del self.jobs[job.id]
                over.append(job)
                sends += [Send(client, JobEnded(job.id), ()) for client in job.watchers]
                self._retire(job)
        self._dirty = {}
        return sends, over

    # -- inside --------------------------------------------------------------------------------------------------

    def _open(self, client: object, message: SubmitJob) -> Job:
        job_id = JobId(make_address(self.node_id, self._next_serial()))
        spec = msgspec.structs.replace(message.spec, job=job_id)
        timeout = spec.options.timeout_s
        deadline = None if timeout is None else self.clock() + timeout
        job = Job(job_id, client, message.request, spec, deadline, message.single, message.detached)
        job.watchers[client] = None
        job.requests.append((client, message.request))
        self.jobs[job_id] = job
        if job.deadline is not None:
            if len(self._deadlines) > 2 * len(self.jobs) + DEADLINES_SPARE:
                self._deadlines = [each for each in self._deadlines if each[1] in self.jobs]
                heapq.heapify(self._deadlines)
            heapq.heappush(self._deadlines, (job.deadline, job_id))
        return job

    def _retire(self, job: Job) -> None:
        """The job has ended: it is kept for a while, or forgotten."""
        job.over_since = self.clock()
        if job.detached and not job.dropped and not job.released:
            for old in self.kept.add(job):
                self._forget(old)
        else:
            self._forget(job)

    def _forget(self, job: Job) -> None:
        for key in job.requests:
            del self._of_request[key]

    def _next_serial(self) -> int:
        self._serial += 1
        return self._serial

    def _attempt(self, job: Job, payload: bytes | None, index: int) -> Attempt:
        address = make_address(self.node_id, self._next_serial())
        return Attempt(address, job.spec, payload, deadline=job.deadline, index=index)

    def _again(self, job: Job, attempt: Attempt) -> None:
        fresh = self._attempt(job, attempt.payload, attempt.index)
        job.open[fresh.address] = fresh
        self._submit([fresh])

    def _finish(self, job: Job, index: int, result: Result) -> None:
        if job.timed_out and result.kind == OutcomeKind.CANCELLED:
            timeout = str(job.spec.options.timeout_s).encode()
            result = Result(result.address, OutcomeKind.TIMEOUT, result.duration_us, timeout)
        job.ended.append((index, result))
        self._dirty[job.id] = job
        if result.kind != OutcomeKind.VALUE:
            self._stop(job)

    def _stop(self, job: Job) -> None:
        if not job.cancelled:
            job.cancelled = True
            for attempt in list(job.open.values()):
                self._cancel(attempt)

    def _outcomes(self, job: Job, ended: list[tuple[int, Result]], clients: list[object]) -> list[Send]:
        """The messages that tell these clients of outcomes."""
        sends = []
        for batch in batched(ended, PARTS_PER_MESSAGE_MAX):
            parts = [result.payload for _, result in batch]
            kinds = [int(result.kind) for _, result in batch]
            message = JobOutcomes(job.id, [index for index, _ in batch], kinds, [len(part) for part in parts])
            sends += [Send(client, message, parts) for client in clients]
        return sends
