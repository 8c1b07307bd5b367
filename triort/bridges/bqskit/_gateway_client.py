"""One client of the gateway: what it asks for, in the order of its messages, and the answers."""

from __future__ import annotations

import logging
import uuid
from collections import deque
from typing import TYPE_CHECKING, Any

import trio

from triort._client.jobs import Job
from triort._model.errors import ConnectionLost, ProtocolError
from triort._model.limits import (
    GATEWAY_FIRST_BYTES_MAX,
    GATEWAY_LOGS_MAX,
    GATEWAY_MESSAGE_BYTES_MAX,
    GATEWAY_SEND_S,
    HANDSHAKE_S,
    RECEIVE_BYTES,
)
from triort.bridges.bqskit._compilations import error_text, start_compilation
from triort.bridges.bqskit._setup import ImportPaths, Setup
from triort.bridges.bqskit._tasks import Compilation
from triort.bridges.bqskit._wire import Frames, Kind, Shell, Status, encode_message, encode_record, framed, skim

if TYPE_CHECKING:
    from triort.bridges.bqskit._gateway import Gateway

Received = tuple[Kind, Any, bytes]
"""A message as far as it is read here, and as it was sent."""


class Leave(Exception):
    """The client is gone, or has said that it goes."""


class GatewayClient:
    """One connection, and the compilations that were submitted over it; they are cancelled when it ends."""

    def __init__(self, gateway: Gateway, stream: trio.SocketStream, name: str) -> None:
        self._gateway = gateway
        self._stream = stream
        self._name = name
        self._frames = Frames()
        self._jobs: dict[uuid.UUID, Job] = {}
        self._paths = ImportPaths(())
        self._records: deque[logging.LogRecord] = deque(maxlen=GATEWAY_LOGS_MAX)
        self._news = trio.Event()

    def keep_record(self, record: logging.LogRecord) -> None:
        """A task of this client has logged."""
        self._records.append(record)
        self._news.set()

    async def serve(self) -> None:
        """Serve it until it leaves. Raises `Leave`, `ProtocolError` for what it may not say, and what its stream
        raises; `ConnectionLost` when the cluster is lost."""
        self._frames.bytes_max = GATEWAY_FIRST_BYTES_MAX
        with trio.fail_after(HANDSHAKE_S):
            first, *more = await self._receive()
            await self._connect(first)
        self._frames.bytes_max = GATEWAY_MESSAGE_BYTES_MAX
        to_handle, messages = trio.open_memory_channel[Received](0)
        error: Exception | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read, more, to_handle)
                async for received in messages:
                    await self._handle(*received)
        except* (Leave, ProtocolError, ConnectionLost, OSError, trio.BrokenResourceError, trio.TooSlowError) as group:
            error = _first(group)
        finally:
            for job in self._jobs.values():
                self._gateway.owners.pop(job, None)
                job._cancel_nowait()
        raise error or Leave

    # -- reading -------------------------------------------------------------------------------------------------

    async def _read(self, messages: list[bytes], to_handle: trio.MemorySendChannel[Received]) -> None:
        """Read on while an answer is awaited: a client that is interrupted meanwhile says that it goes, and waits."""
        while True:
            for data in messages:
                kind, content = skim(data)
                if kind is Kind.DISCONNECT:
                    raise Leave
                await to_handle.send((kind, content, data))
            messages = await self._receive()

    async def _receive(self) -> list[bytes]:
        """At least one message."""
        while True:
            data = await self._stream.receive_some(RECEIVE_BYTES)
            if not data:
                raise Leave
            messages = self._frames.feed(bytes(data))
            if messages:
                return messages

    # -- the messages --------------------------------------------------------------------------------------------

    async def _connect(self, data: bytes) -> None:
        kind, paths = skim(data)
        if kind is not Kind.CONNECT or not isinstance(paths, list) or not all(isinstance(each, str) for each in paths):
            raise ProtocolError("it does not begin as a client of BQSKit's does")
        self._paths = ImportPaths(tuple(paths))
        await self._answer(Kind.READY, None)

    async def _handle(self, kind: Kind, content: Any, data: bytes) -> None:
        if kind is Kind.SUBMIT:
            self._submit(data, content)
        elif not isinstance(content, uuid.UUID):
            raise ProtocolError(f"a message {kind.name} without the id of a task")
        elif kind is Kind.STATUS:
            await self._send_records()
            await self._answer(Kind.STATUS, self._status(content))
        elif content not in self._jobs:
            await self._answer(Kind.ERROR, "Unknown task.")
        elif kind is Kind.CANCEL:
            job = self._jobs.pop(content)
            self._gateway.owners.pop(job, None)
            job._cancel_nowait()
            await self._send_records()
            await self._answer(Kind.CANCEL, None)
        elif kind is Kind.REQUEST:
            await self._give_result(content)
        else:
            raise ProtocolError(f"a client may not send {kind.name}")

    def _submit(self, data: bytes, task: Any) -> None:
        state = task.state if isinstance(task, Shell) else None
        task_id, level, depth_max = (
            (state.get(name) for name in ("task_id", "logging_level", "max_logging_depth"))
            if isinstance(state, dict)
            else (None, None, None)
        )
        if not isinstance(task_id, uuid.UUID) or not isinstance(depth_max, int) or not isinstance(level, int | None):
            raise ProtocolError("what it submits is no compilation")
        compilation = Compilation(self._paths, Setup(level or 0, depth_max), is_message=True)
        job = start_compilation(self._gateway.client, compilation, data)
        self._jobs[task_id] = job
        self._gateway.owners[job] = self

    def _status(self, task_id: uuid.UUID) -> Status:
        job = self._jobs.get(task_id)
        if job is None:
            return Status.UNKNOWN
        return Status.DONE if job._is_ended else Status.RUNNING

    async def _give_result(self, task_id: uuid.UUID) -> None:
        """Wait for the end of a compilation; its records go to the client meanwhile, all of them before its result."""
        job = self._jobs[task_id]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._forward_records)
            await job._when_ended().wait()
            nursery.cancel_scope.cancel()
        await self._send_records()
        del self._jobs[task_id]
        self._gateway.owners.pop(job, None)
        error = job._error(unpickle=False)
        if isinstance(error, ConnectionLost):
            raise error
        await self._send(job._value() if error is None else encode_message(Kind.ERROR, error_text(error)))

    # -- writing -------------------------------------------------------------------------------------------------

    async def _forward_records(self) -> None:
        while True:
            await self._news.wait()
            with trio.CancelScope(shield=True):  # half a message is none
                await self._send_records()

    async def _send_records(self) -> None:
        self._news = trio.Event()
        while self._records:
            await self._send(encode_record(self._records.popleft()))

    async def _answer(self, kind: Kind, content: Any) -> None:
        await self._send(encode_message(kind, content))

    async def _send(self, data: bytes) -> None:
        """Send a message; raises `trio.TooSlowError` when the client does not take it."""
        with trio.fail_after(GATEWAY_SEND_S):
            await self._stream.send_all(framed(data))


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    """The error that a group is about."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, Exception)
    return found
