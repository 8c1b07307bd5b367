"""A client's session with a server: what it has asked for, and what comes of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import chain

import trio

from triort._client.jobs import Job
from triort._client.talk import show
from triort._model.errors import ConnectionLost, ProtocolError
from triort._model.ids import JobId
from triort._model.limits import REASON_CHARS_MAX
from triort._model.messages import (
    AttachJob,
    CancelJob,
    DrainReply,
    DrainRequest,
    JobAccepted,
    JobEnded,
    JobOutcomes,
    JobRefused,
    Log,
    Message,
    NodeStatus,
    Parts,
    Print,
    Received,
    ReleaseJob,
    StatusReply,
    StatusRequest,
    Welcome,
)
from triort._model.text import readable
from triort._transport.connection import Connection

Reopen = Callable[[], Awaitable[tuple[Connection, Welcome]]]
"""Dials once and gives a link whose handshake is over; raises `StartupError` or `OSError`."""


class Session:
    """What one client has open at its server, over one link after the other; with ``reopen`` it outlives the server
    (see `returning`). Shared by all `Client` objects made from it by `Client.options`."""

    def __init__(self, conn: Connection, reopen: Reopen | None = None) -> None:
        self.conn = conn
        self.reopen = reopen
        self.requests: dict[int, Job] = {}
        """What the server has not answered yet."""
        self.jobs: dict[JobId, list[Job]] = {}
        self.statuses: dict[int, tuple[trio.Event, list[NodeStatus]]] = {}
        self.drains: dict[int, tuple[DrainRequest, trio.Event, list[str]]] = {}
        self.serial = 0
        self.lost: str | None = None
        self.is_away = False
        """Whether there is no link: what is open is asked for again over the next one."""
        self.returns = 0
        """How often that has happened since something has come of a job."""
        self.returning = trio.CancelScope()
        self.show: Callable[[Print | Log], None] = show
        """What is done with what tasks say."""
        self._releases: list[ReleaseJob] = []

    def next_serial(self) -> int:
        """A fresh number for a request."""
        self.serial += 1
        return self.serial

    async def read(self) -> str:
        """Handle what comes from the server until the link ends, and return why it has."""
        try:
            while True:
                self.handle(await self.conn.receive())
        except (trio.EndOfChannel, trio.ClosedResourceError):
            return f"{self.conn.name} has closed the connection"
        except (trio.BrokenResourceError, ProtocolError) as exc:
            return f"the connection to {self.conn.name} has ended: {type(exc).__name__} {exc}"

    def go_on(self, conn: Connection) -> None:
        """There is another link: ask for all that is open once more."""
        self.conn, self.is_away = conn, False
        for job in chain(*self.jobs.values()):
            self.requests[job._request] = job
        self.jobs.clear()
        for release in self._releases:
            self.send(release)
        self._releases = []
        for request in self.statuses:
            self.send(StatusRequest(request))
        for drain, _, _ in self.drains.values():
            self.send(drain)
        for job in self.requests.values():
            if job._id is not None:
                self.send(AttachJob(job._request, job._id))
            for message, parts in job._submission or ():
                self.send(message, parts)
            if job._cancelled:
                self.send(CancelJob(job._request))

    def close(self) -> None:
        """The client wants no more; the server cancels what is open and not detached."""
        self.lose("this client has been closed")
        self.conn.close()
        self.returning.cancel()

    def release(self, job: JobId) -> None:
        """The server may forget the job."""
        message = ReleaseJob(job)
        if self.is_away:
            self._releases.append(message)
        else:
            self.send(message)

    def lose(self, reason: str) -> None:
        """There is no link any more, and there will be no other one."""
        self.lost = self.lost or reason
        for job in [*self.requests.values(), *chain(*self.jobs.values())]:
            job._lose(reason)
        self.requests.clear()
        self.jobs.clear()
        for event, _ in self.statuses.values():
            event.set()
        for _, event, _ in self.drains.values():
            event.set()
        self.statuses.clear()
        self.drains.clear()

    def send(self, message: Message, parts: Sequence[bytes] = ()) -> None:
        """Send now, or, while there is no link, with all else that is open; raises `ConnectionLost` after the end."""
        if self.lost is not None:
            raise ConnectionLost(self.lost)
        if self.is_away:
            return
        try:
            self.conn.send_nowait(message, parts)
            self.conn.flush_nowait()
        except trio.ClosedResourceError:
            raise ConnectionLost("this client has been closed") from None

    def handle(self, mail: list[Received]) -> None:
        """Handle what has come from the server; raises `ProtocolError`."""
        for message, parts in mail:
            self._handle(message, parts)

    def _handle(self, message: Message, parts: Parts) -> None:
        match message:
            case JobOutcomes():
                self.returns = 0
                for job in self.jobs.get(message.job, ()):
                    job._deposit(message, parts)
            case JobAccepted():
                accepted = self._pop_request(message.request)
                self.jobs.setdefault(message.job, []).append(accepted)
                accepted._accept(message)
            case JobRefused():
                self._pop_request(message.request)._refuse(message.reason)
            case JobEnded():
                self.returns = 0
                for job in self.jobs.get(message.job, ()):
                    job._check_end()
                for ended in self.jobs.pop(message.job, ()):
                    ended._end()
                    if self.reopen is not None and not ended._is_detached:
                        self.release(message.job)
            case Print() | Log():
                self.show(message)
            case StatusReply():
                event, answers = self.statuses.pop(message.request, (trio.Event(), []))
                answers.append(message.status)
                event.set()
            case DrainReply():
                if message.request in self.drains:
                    _, event, problems = self.drains.pop(message.request)
                    problems.append(readable(message.problem, REASON_CHARS_MAX))
                    event.set()
            case _:
                raise ProtocolError(f"a server may not send {type(message).__name__} to a client")

    def _pop_request(self, request: int) -> Job:
        job = self.requests.pop(request, None)
        if job is None:
            raise ProtocolError("the server has answered for a job that was not asked for")
        return job
