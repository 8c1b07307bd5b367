"""What the root of the tree decides beside a manager's work: it takes jobs from clients and tells them the ends."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from triort._core.attaching import attach, drop_client, is_refused, is_repeated, release
from triort._core.attempts import Attempt
from triort._core.crash_budget import count_crash
from triort._core.job import Job
from triort._core.jobs import JobBooks
from triort._core.journal import Ledger
from triort._core.links import Loss, Send
from triort._core.node_core import Direction, NodeCore
from triort._core.placement import Choose
from triort._core.restoring import commit, fail_ledger, read_records, restore
from triort._model.errors import ProtocolError
from triort._model.ids import JobId
from triort._model.messages import (
    AttachJob,
    CancelJob,
    Crashed,
    DrainRequest,
    Log,
    Message,
    Print,
    ReleaseJob,
    StatusRequest,
    SubmitJob,
    SystemError_,
)
from triort._model.roles import Place, check_sender


class ServerCore(NodeCore):
    """The books of a server: those about employees, and those about jobs. ``conn`` of a client is opaque, too."""

    kind = "server"

    def __init__(self, *, choose: Choose) -> None:
        super().__init__(choose=choose)
        self.jobs = JobBooks(self._add_tasks, self.hops.cancel, lambda: self.now)
        self._has_new_tasks = False
        self.hops.owner = self.jobs

    def handle_message(self, msg: Message, direction: Direction, conn: object, payload: Sequence[bytes]) -> None:
        """Process the message coming from ``direction``; clients may submit, watch and cancel jobs and ask for the
        status."""
        if direction is not Direction.CLIENT:
            super().handle_message(msg, direction, conn, payload)
            return
        check_sender(Place.CLIENT, "a client", msg)
        match msg:
            case SubmitJob():
                self._submit_job(msg, conn, payload)
            case CancelJob():
                self.jobs.cancel_job(conn, msg.request)
            case AttachJob():
                attach(self.jobs, conn, msg)
            case ReleaseJob():
                release(self.jobs, conn, msg.job)
            case StatusRequest():
                self.status_desk.ask(msg.request, conn)
            case DrainRequest():
                self.drains.ask(msg.request, msg.node, conn)

    def add_client(self, conn: object, token: int) -> None:
        """A client has come that is known by this number over all of its links; a link that it had before is over."""
        for old in [old for old in self.jobs.requests.links_of(token) if old != conn]:
            self.handle_disconnect(old, reason="its client has come over another link")
        if token:
            self.jobs.requests.tokens[conn] = token
            self.jobs.leases.extend(token, self.now)

    def _add_tasks(self, attempts: list[Attempt]) -> None:
        """Root tasks: those of all jobs that have come with this batch of events are placed together."""
        self._has_new_tasks = True
        self.backlog.add_all(attempts)

    def _submit_job(self, msg: SubmitJob, conn: object, payload: Sequence[bytes]) -> None:
        if is_repeated(self.jobs, conn, msg) or is_refused(self.jobs, conn, msg):
            return
        digests = (msg.spec.function, *msg.spec.blobs)
        if msg.blobs not in (0, len(digests)) or msg.blobs > len(payload):
            raise ProtocolError(f"a job came with {msg.blobs} blobs for {len(digests)} digests")
        job = self.jobs.open_job(conn, msg)
        if msg.blobs and job.id in self.hops.blobs:
            raise ProtocolError("a job's blobs come with its first items only")
        if msg.blobs:
            self.hops.blobs[job.id] = dict(zip(digests, payload, strict=False))
        elif job.id not in self.hops.blobs:
            raise ProtocolError("a job came without its function")
        self.jobs.add_items(job, msg, payload[msg.blobs :], payload[: msg.blobs])

    def handle_disconnect(self, conn: object, blame: Loss | None = None, reason: str = "") -> None:
        """Remove ``conn`` from the server: an employee's work is done elsewhere, a client's jobs are cancelled, or wait
        for it when it has not ended the link itself."""
        self.status_desk.drop(conn)
        self.drains.drop(conn)
        drop_client(self.jobs, conn, may_return=bool(reason))
        super().handle_disconnect(conn, blame, reason)

    def hear(self, msg: Print | Log | SystemError_ | Crashed, payload: Sequence[bytes] = ()) -> None:
        """Pass on what a job has said to the clients that watch it; count the workers that it costs."""
        if isinstance(msg, Crashed):
            count_crash(self.jobs, msg.job, payload[0])
            return
        job = self.jobs.jobs.get(msg.job) if not isinstance(msg, SystemError_) else None
        if job is not None:
            self.outbox += [Send(client, msg, ()) for client in job.watchers]

    def next_deadline(self) -> float:
        """The nearest deadline of a job, or what else there is to do."""
        deadline = self.jobs.next_deadline()
        return min(super().next_deadline(), math.inf if deadline is None else deadline)

    def flush(self) -> list[Send]:
        """Pack what this batch of events has caused, for employees and clients."""
        self.jobs.expire()
        if self._has_new_tasks:
            self._has_new_tasks = False
            self.schedule_tasks([])
        to_clients, ended = self.jobs.flush()
        for job in ended:
            self.forget(job.id)
        if self.jobs.ledger is not None:
            to_clients = self.jobs.ledger.close_batch(to_clients)
        return [*super().flush(), *to_clients]

    # -- the journal ---------------------------------------------------------------------------------------------

    def open_ledger(self, time_of_day_s: float, stored: Iterable[tuple[JobId, bytes]]) -> None:
        """Write down from now on what is to outlive this server, and take up what an earlier one has written; raises
        `ProtocolError` when that makes no sense. ``time_of_day_s`` is the time of day now."""
        serial, jobs = read_records(stored)
        self.jobs.ledger = Ledger()
        self.jobs.time_of_day_s = time_of_day_s - self.now
        restore(self.jobs, self.hops.blobs, serial, jobs)

    def handle_committed(self, number: int) -> None:
        """The ledger's writes up to this one are durable."""
        self.outbox += commit(self.jobs, number)

    def handle_journal_failure(self, reason: str) -> None:
        """Nothing will be durable any more."""
        self.outbox += fail_ledger(self.jobs, reason)

    def open_jobs(self) -> list[Job]:
        """The jobs that have not ended."""
        return list(self.jobs.jobs.values())
