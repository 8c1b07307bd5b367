"""The server's books about jobs: it owns their root tasks, so it keeps the payloads and submits lost ones again.

A job is one root task for each item that the client has sent (one for ``run``, many for ``map``). Outcomes go to the
client as they come. The first failure of a map cancels its other items; the job has ended when every item has.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

import attrs
import msgspec

from triort._core.attempts import Attempt, Result
from triort._core.links import Loss, Send
from triort._core.packing import batched
from triort._core.retries import after_loss
from triort._model.errors import ProtocolError
from triort._model.ids import Address, JobId, NodeId, make_address
from triort._model.limits import PARTS_PER_MESSAGE_MAX
from triort._model.marks import sometimes
from triort._model.messages import JobAccepted, JobEnded, JobOutcomes, SubmitJob, TaskSpec
from triort._model.outcomes import OutcomeKind

DEADLINES_SPARE = 64


@attrs.define(eq=False)
class Job:
    """One job: its client, its open root tasks and what has ended since the last flush."""

    id: JobId
    client: object
    request: int
    spec: TaskSpec
    deadline: float | None
    open: dict[Address, Attempt] = attrs.Factory(dict)
    num_items: int = 0
    complete: bool = False
    cancelled: bool = False
    timed_out: bool = False
    dropped: bool = False
    """The client is gone: nobody is told of outcomes."""
    crashes: dict[int, int] = attrs.Factory(dict)
    retried: dict[int, int] = attrs.Factory(dict)
    ended: list[tuple[int, Result]] = attrs.Factory(list)


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
        self._accepted: list[tuple[object, JobAccepted]] = []
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
        """The client is gone: its jobs are cancelled, and nobody is told of their end."""
        for job in list(self.jobs.values()):
            if job.client == client:
                sometimes("a client leaves with a job open")
                job.complete = job.dropped = True
                self._stop(job)
                self._dirty[job.id] = job

    def next_deadline(self) -> float | None:
        """When `expire` has something to do."""
        while self._deadlines and self._deadlines[0][1] not in self.jobs:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def expire(self) -> None:
        """Time has passed: jobs beyond their deadline are stopped."""
        while self._deadlines and self._deadlines[0][0] <= self.clock():
            job = self.jobs.get(heapq.heappop(self._deadlines)[1])
            if job is not None:
                job.timed_out = True
                self._stop(job)

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
        sends: list[Send] = [Send(client, message, ()) for client, message in self._accepted]
        self._accepted = []
        over = []
        for job in self._dirty.values():
            if not job.dropped:
                sends += [self._outcomes(job, ended) for ended in batched(job.ended, PARTS_PER_MESSAGE_MAX)]
            job.ended = []
            if job.complete and not job.open:
                del self.jobs[job.id], self._of_request[job.client, job.request]
                over.append(job)
                if not job.dropped:
                    sends.append(Send(job.client, JobEnded(job.id), ()))
        self._dirty = {}
        return sends, over

    # -- inside --------------------------------------------------------------------------------------------------

    def _open(self, client: object, message: SubmitJob) -> Job:
        job_id = JobId(make_address(self.node_id, self._next_serial()))
        spec = msgspec.structs.replace(message.spec, job=job_id)
        timeout = spec.options.timeout_s
        job = Job(job_id, client, message.request, spec, None if timeout is None else self.clock() + timeout)
        self.jobs[job_id] = job
        if job.deadline is not None:
            if len(self._deadlines) > 2 * len(self.jobs) + DEADLINES_SPARE:
                self._deadlines = [each for each in self._deadlines if each[1] in self.jobs]
                heapq.heapify(self._deadlines)
            heapq.heappush(self._deadlines, (job.deadline, job_id))
        self._accepted.append((client, JobAccepted(message.request, job_id)))
        return job

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

    def _outcomes(self, job: Job, ended: list[tuple[int, Result]]) -> Send:
        parts = [result.payload for _, result in ended]
        kinds = [int(result.kind) for _, result in ended]
        message = JobOutcomes(job.id, [index for index, _ in ended], kinds, [len(part) for part in parts])
        return Send(job.client, message, parts)
