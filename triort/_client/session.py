"""A client's session with a server: what it has asked for, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import trio

from triort._client.jobs import Job
from triort._client.talk import show
from triort._model.errors import ConnectionLost, ProtocolError
from triort._model.ids import JobId
from triort._model.messages import (
    JobAccepted,
    JobEnded,
    JobOutcomes,
    JobRefused,
    Log,
    Message,
    NodeStatus,
    Parts,
    Print,
    StatusReply,
)
from triort._transport.connection import Connection


class Session:
    """The link of one client: shared by all `Client` objects made from it by `Client.options`."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.requests: dict[int, Job] = {}
        self.jobs: dict[JobId, list[Job]] = {}
        self.statuses: dict[int, tuple[trio.Event, list[NodeStatus]]] = {}
        self.serial = 0
        self.lost: str | None = None

    def next_serial(self) -> int:
        """A fresh number for a request."""
        self.serial += 1
        return self.serial

    async def run(self) -> None:
        """Handle what comes from the server until the link ends; then everything that waits gets `ConnectionLost`."""
        try:
            while True:
                for message, parts in await self.conn.receive():
                    self._handle(message, parts)
        except (trio.EndOfChannel, trio.ClosedResourceError):
            self.lose(f"{self.conn.name} has closed the connection")
        except (trio.BrokenResourceError, ProtocolError) as exc:
            self.lose(f"the connection to {self.conn.name} has ended: {type(exc).__name__} {exc}")

    def lose(self, reason: str) -> None:
        """The link has ended."""
        self.lost = self.lost or reason
        for job in [*self.requests.values(), *chain(*self.jobs.values())]:
            job._lose(reason)
        self.requests.clear()
        self.jobs.clear()
        for event, _ in self.statuses.values():
            event.set()

    def send(self, message: Message, parts: Sequence[bytes] = ()) -> None:
        """Send now; raises `ConnectionLost` after the end."""
        if self.lost is not None:
            raise ConnectionLost(self.lost)
        try:
            self.conn.send_nowait(message, parts)
            self.conn.flush_nowait()
        except trio.ClosedResourceError:
            raise ConnectionLost("this client has been closed") from None

    def _handle(self, message: Message, parts: Parts) -> None:
        match message:
            case JobOutcomes():
                for job in self.jobs.get(message.job, ()):
                    job._deposit(message, parts)
            case JobAccepted():
                accepted = self._pop_request(message.request)
                self.jobs.setdefault(message.job, []).append(accepted)
                accepted._accept(message)
            case JobRefused():
                self._pop_request(message.request)._refuse(message.reason)
            case JobEnded():
                for ended in self.jobs.pop(message.job, ()):
                    ended._end()
            case Print() | Log():
                show(message)
            case StatusReply():
                event, answers = self.statuses.pop(message.request, (trio.Event(), []))
                answers.append(message.status)
                event.set()
            case _:
                raise ProtocolError(f"a server may not send {type(message).__name__} to a client")

    def _pop_request(self, request: int) -> Job:
        job = self.requests.pop(request, None)
        if job is None:
            raise ProtocolError("the server has answered for a job that was not asked for")
        return job
