"""A client's session with a server: jobs out, results and what tasks say in."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

from triort._client.jobs import CompletedItems, Job
from triort._client.talk import log_level_wanted, show
from triort._model.errors import ConnectionLost, ProtocolError, UsageError
from triort._model.ids import JobId
from triort._model.limits import DIAL_S, PARTS_PER_MESSAGE_MAX
from triort._model.messages import (
    CancelJob,
    JobAccepted,
    JobEnded,
    JobOutcomes,
    Log,
    Message,
    NodeStatus,
    Options,
    Parts,
    Print,
    StatusReply,
    StatusRequest,
    SubmitJob,
    TaskSpec,
)
from triort._node.handshake import greet, make_hello
from triort._node.options import set_options
from triort._transport.connection import Connection
from triort._transport.tcp import dial_tcp, parse_endpoint
from triort._wire import payload

_DEFAULT_ADDRESS = "127.0.0.1:7472"
_Calls = Sequence[tuple[tuple[Any, ...], dict[str, Any]]]


class Session:
    """The link of one client: shared by all `Client` objects made from it by `Client.options`."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.requests: dict[int, Job] = {}
        self.jobs: dict[JobId, Job] = {}
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
        for job in [*self.requests.values(), *self.jobs.values()]:
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
                job = self.jobs.get(message.job)
                if job is not None:
                    job._deposit(message, parts)
            case JobAccepted():
                accepted = self.requests.pop(message.request, None)
                if accepted is None:
                    raise ProtocolError("the server has accepted a job that was not submitted")
                self.jobs[message.job] = accepted
                accepted._accept(message.job)
            case JobEnded():
                ended = self.jobs.pop(message.job, None)
                if ended is not None:
                    ended._end()
            case Print() | Log():
                show(message)
            case StatusReply():
                event, answers = self.statuses.pop(message.request, (trio.Event(), []))
                answers.append(message.status)
                event.set()
            case _:
                raise ProtocolError(f"a server may not send {type(message).__name__} to a client")


class Client:
    """A session with a cluster, to be used in the trio loop that opened it. Made by `open_cluster` or `open_client`."""

    def __init__(self, session: Session, options: Options) -> None:
        self._session = session
        self._options = options

    def options(
        self,
        *,
        name: str | None = None,
        log_context: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        crash_limit: int | None = None,
        at_most_once: bool | None = None,
        retries: int | None = None,
        priority: int | None = None,
    ) -> Client:
        """The same client with task options set, for the jobs submitted through it; see `Runtime.options`."""
        return Client(
            self._session,
            set_options(self._options, name, log_context, timeout_s, crash_limit, at_most_once, retries, priority),
        )

    async def run(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run ``fn(*args, **kwargs)`` as a job and return its value.

        A cancel cancels the whole tree of tasks and waits for its end. Raises what the task raises, with the traceback
        there as its cause, and `UsageError` when function or arguments cannot be pickled.
        """
        return await self._start(fn, [(args, kwargs)], single=True)._result_or_cancel()

    async def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], progress: bool = False) -> list[Any]:
        """Run ``fn`` for each tuple of items, as one job, and return the values in order.

        A failed item cancels the others; its exception is raised when they have ended. A cancel cancels all.
        ``progress`` shows a bar on stderr if that is a terminal.
        """
        job = self._start(fn, _pair(iterables), single=False)
        if not progress:
            values: list[Any] = await job._result_or_cancel()
            return values
        from triort._client.progress import watch_progress

        return await watch_progress(job)

    def as_completed(self, fn: Callable[..., Any], *iterables: Iterable[Any]) -> AsyncIterator[tuple[int, Any]]:
        """Run ``fn`` for each tuple of items, as one job, and iterate over (index, value) as they end.

        A cancel of the loop only stops waiting. Leaving it early cancels what is left of the job, which ends on its
        own. Raises as `map`.
        """
        return CompletedItems(self._start(fn, _pair(iterables), single=False), trio.lowlevel.current_trio_token())

    async def submit(self, fn: Callable[..., Any], *args: Any, detached: bool = False, **kwargs: Any) -> Job:
        """Start a job and return it, once the server has taken it. Raises `UsageError`, `ConnectionLost`.

        ``detached`` is reserved for jobs that outlive their client, which there are none of yet.
        """
        if detached:
            raise UsageError("there are no detached jobs yet: a job ends with its client")
        job = self._start(fn, [(args, kwargs)], single=True)
        try:
            await job._accepted.wait()
        except trio.Cancelled:
            job._cancel_nowait()
            raise
        if job._lost is not None:
            raise ConnectionLost(job._lost)
        return job

    async def status(self) -> NodeStatus:
        """The node tree as it is now. A cancel stops waiting."""
        session = self._session
        number, event, answers = session.next_serial(), trio.Event(), []  # type: ignore[var-annotated]
        session.statuses[number] = (event, answers)
        session.send(StatusRequest(number))
        await event.wait()
        if not answers:
            raise ConnectionLost(session.lost or "no answer")
        status: NodeStatus = answers[0]
        return status

    # -- inside --------------------------------------------------------------------------------------------------

    def _start(self, fn: Callable[..., Any], calls: _Calls, *, single: bool) -> Job:
        session = self._session
        digest, blob = payload.dump_function(fn)
        name = payload.name_of(fn)
        items = []
        for args, kwargs in calls:
            data, refs = payload.dump_call(fn, args, kwargs)
            if refs:
                raise UsageError("a triort Ref belongs to the job of the task that made it; pass the value instead")
            items.append(data)
        spec = TaskSpec(JobId(0), digest, name, 0, self._options, (), log_level_wanted())
        job = Job(self, self._options.name or name, len(items), single=single)
        number = session.next_serial()
        session.requests[number] = job
        job._request = number
        step = PARTS_PER_MESSAGE_MAX - 1
        for start in range(0, max(len(items), 1), step):
            chunk = items[start : start + step]
            blobs = [blob] if start == 0 else []
            last = start + step >= len(items)
            parts = [*blobs, *chunk]
            session.send(SubmitJob(number, spec, len(blobs), last, [len(part) for part in parts]), parts)
        return job

    def _send_cancel(self, job: Job) -> None:
        session = self._session
        if session.lost is None:
            session.send(CancelJob(job._request))


def _pair(iterables: tuple[Iterable[Any], ...]) -> _Calls:
    if not iterables:
        raise UsageError("map needs at least one iterable")
    return [(args, {}) for args in zip(*iterables, strict=False)]


@asynccontextmanager
async def serve_session(conn: Connection) -> AsyncIterator[Client]:
    """A client over a connection that the other side has accepted; closes it in the end."""
    session = Session(conn)
    error: BaseException | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_run_link, conn, session)
        try:
            yield Client(session, Options())
        except BaseException as exc:  # raised again below, so that no nursery wraps it
            error = exc
        session.lose("this client has been closed")
        conn.close()
    if error is not None:
        raise error


async def _run_link(conn: Connection, session: Session) -> None:
    """Serve the link until it is closed, also under a cancel: jobs that it cancels have to hear of their end."""
    with trio.CancelScope(shield=True):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(conn.run_writer)
            nursery.start_soon(session.run)


@asynccontextmanager
async def open_client(address: str | None = None) -> AsyncIterator[Client]:
    """Connect to a running server at ``HOST[:PORT]`` (default: port 7472 on this host).

    Waits for it with growing pauses, some seconds at most; raises `StartupError` with the address and the reason.
    Leaving the block cancels the jobs that are still open.
    """
    async with dial_client(address, DIAL_S) as client:
        yield client


@asynccontextmanager
async def dial_client(address: str | None, timeout_s: float) -> AsyncIterator[Client]:
    """As `open_client`, with another patience."""
    host, port = parse_endpoint(address or _DEFAULT_ADDRESS, 7472)
    conn = await dial_tcp(host, port, timeout_s=timeout_s)
    try:
        await greet(conn, make_hello("client", f"{os.path.basename(sys.argv[0] or 'python')}[{os.getpid()}]"))
    except BaseException:
        conn.close()
        raise
    conn.lift_limit()
    async with serve_session(conn) as client:
        yield client
