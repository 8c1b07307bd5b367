"""What the root of the tree decides beside a manager's work: it takes jobs from clients and tells them the ends."""

from __future__ import annotations

import math
from collections.abc import Sequence

from triort._core.job import Job
from triort._core.jobs import JobBooks
from triort._core.links import Loss, Send
from triort._core.node_core import Direction, NodeCore
from triort._core.placement import Choose
from triort._model.errors import ProtocolError
from triort._model.messages import (
    AttachJob,
    CancelJob,
    Log,
    Message,
    Print,
    ReleaseJob,
    StatusRequest,
    SubmitJob,
    SystemError_,
)


class ServerCore(NodeCore):
    """The books of a server: those about employees, and those about jobs. ``conn`` of a client is opaque, too."""

    kind = "server"

    def __init__(self, *, choose: Choose) -> None:
        super().__init__(choose=choose)
        self.jobs = JobBooks(self.schedule_tasks, self.hops.cancel, lambda: self.now)
        self.hops.owner = self.jobs

    def handle_message(self, msg: Message, direction: Direction, conn: object, payload: Sequence[bytes]) -> None:
        """Process the message coming from ``direction``; clients may submit, watch and cancel jobs and ask for the
        status."""
        if direction is not Direction.CLIENT:
            super().handle_message(msg, direction, conn, payload)
            return
        match msg:
            case SubmitJob():
                self._submit_job(msg, conn, payload)
            case CancelJob():
                self.jobs.cancel_job(conn, msg.request)
            case AttachJob():
                self.jobs.attach(conn, msg)
            case ReleaseJob():
                self.jobs.release(conn, msg.job)
            case StatusRequest():
                self.status_desk.ask(msg.request, conn)
            case _:
                raise ProtocolError(f"a client may not send {type(msg).__name__}")

    def _submit_job(self, msg: SubmitJob, conn: object, payload: Sequence[bytes]) -> None:
        digests = (msg.spec.function, *msg.spec.blobs)
        if msg.blobs not in (0, len(digests)) or msg.blobs > len(payload):
            raise ProtocolError(f"a job came with {msg.blobs} blobs for {len(digests)} digests")
        job_id = self.jobs.open_job(conn, msg)
        if msg.blobs and job_id in self.hops.blobs:
            raise ProtocolError("a job's blobs come with its first items only")
        if msg.blobs:
            self.hops.blobs[job_id] = dict(zip(digests, payload, strict=False))
        elif job_id not in self.hops.blobs:
            raise ProtocolError("a job came without its function")
        self.jobs.add_items(conn, msg, payload[msg.blobs :])

    def handle_disconnect(self, conn: object, blame: Loss | None = None) -> None:
        """Remove ``conn`` from the server: an employee's work is done elsewhere, a client's jobs are cancelled."""
        self.status_desk.drop(conn)
        self.jobs.drop_client(conn)
        super().handle_disconnect(conn, blame)

    def hear(self, msg: Print | Log | SystemError_) -> None:
        """Pass on what a job has said to the clients that watch it."""
        job = self.jobs.jobs.get(msg.job) if not isinstance(msg, SystemError_) else None
        if job is not None:
            self.outbox += [Send(client, msg, ()) for client in job.watchers]

    def next_deadline(self) -> float:
        """The nearest deadline of a job."""
        deadline = self.jobs.next_deadline()
        return math.inf if deadline is None else deadline

    def flush(self) -> list[Send]:
        """Pack what this batch of events has caused, for employees and clients."""
        self.jobs.expire()
        to_clients, ended = self.jobs.flush()
        for job in ended:
            self.forget(job.id)
        return [*super().flush(), *to_clients]

    def open_jobs(self) -> list[Job]:
        """The jobs that have not ended."""
        return list(self.jobs.jobs.values())
