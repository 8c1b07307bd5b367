"""A job as its client sees it: results as they come, one end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs
import trio

from triort._model.errors import ConnectionLost, JobRejected, ProtocolError, TaskCancelled, UsageError
from triort._model.ids import JobId
from triort._model.limits import CANCEL_S, REASON_CHARS_MAX
from triort._model.messages import JobAccepted, JobOutcomes, Message, Parts
from triort._model.outcomes import OutcomeKind
from triort._model.text import readable
from triort._wire import payload

if TYPE_CHECKING:
    from triort._client.client import Client
    from triort._client.feed import Feed


@attrs.frozen
class JobStatus:
    """How far a job is: ``state`` is running, cancelling, done, failed or cancelled."""

    state: str
    num_items: int
    num_done: int


class Job:
    """A job that a client has submitted, or attached to; made by `Client.submit` and `Client.attach`."""

    __slots__ = (
        "_arrived", "_cancelled", "_client", "_end_event", "_failure", "_feed", "_has", "_id", "_is_accepted",
        "_is_detached", "_is_ended", "_lost", "_name", "_news_event", "_num_done", "_on_end", "_refused", "_request",
        "_results", "_single", "_submission", "_waiter",
    )  # fmt: skip

    def __init__(self, client: Client, name: str, num_items: int, *, single: bool, detached: bool = False) -> None:
        self._client = client
        self._name = name
        self._single = single
        self._is_detached = detached
        self._submission: list[tuple[Message, list[bytes]]] | None = None
        """What to send again if the server is lost before it has answered."""
        self._request = 0
        self._feed: Feed | None = None
        self._id: JobId | None = None
        self._results: list[bytes | None] = [None] * num_items
        self._has = bytearray(num_items)
        """Which items have ended: after an attach the server tells all of them, and some for the second time."""
        self._num_done = 0
        self._arrived: list[int] | None = None
        self._failure: tuple[int, bytes] | None = None
        self._lost: str | None = None
        self._refused: str | None = None
        self._cancelled = False
        self._is_accepted = False
        self._is_ended = False
        self._end_event: trio.Event | None = None
        self._waiter: trio.lowlevel.Task | None = None
        """Who has started the job and waits for its end."""
        self._news_event: trio.Event | None = None
        self._on_end: Callable[[], None] | None = None
        """Called at the end, in the session's loop, for who has too many jobs to wait for each."""

    @property
    def id(self) -> int:
        """The job's number at its server, by which other clients attach to it if it is detached."""
        assert self._id is not None
        return self._id

    async def result(self) -> Any:
        """Wait for the job's end and return its value; for a map the list of values, in order.

        Raises the exception of the task, with the traceback there as its cause; `TaskCancelled` after `cancel`;
        `ConnectionLost` when the server is gone. A cancel only stops waiting.
        """
        await self._when_ended().wait()
        return self._value()

    async def cancel(self) -> None:
        """Cancel the job and wait until all of it has ended. A cancel of this call only stops waiting."""
        self._cancel_nowait()
        await self._when_ended().wait()

    async def forget(self) -> None:
        """Tell the server that nobody will attach to the detached job again: it keeps nothing of it after its end.

        Does not wait for that; of other jobs nothing is kept anyway. Raises `ConnectionLost`.
        """
        await trio.lowlevel.checkpoint()
        self._client._session.release(JobId(self.id))

    async def status(self) -> JobStatus:
        """How far the job is, as far as this client knows."""
        await trio.lowlevel.checkpoint()
        if not self._is_ended:
            state = "cancelling" if self._cancelled or self._failure is not None else "running"
        elif self._failure is None:
            state = "done"
        else:
            state = "cancelled" if self._failure[0] == OutcomeKind.CANCELLED else "failed"
        return JobStatus(state, len(self._has), self._num_done)

    # -- for the session -----------------------------------------------------------------------------------------

    async def _end_or_cancel(self) -> None:
        """Wait for the job's end; a cancel cancels it and waits for that, `CANCEL_S` at most."""
        try:
            if self._feed is not None:
                await self._feed.send_all()
            if self._is_ended:
                await trio.lowlevel.checkpoint()
            else:  # not by an Event: that would be eight objects more for each of perhaps very many
                self._waiter = trio.lowlevel.current_task()
                self._waiter.custom_sleep_data = self
                await trio.lowlevel.wait_task_rescheduled(_stop_waiting)
        except (trio.Cancelled, UsageError):  # the latter for an item that cannot be pickled
            self._cancel_nowait()
            with trio.CancelScope(deadline=trio.current_time() + CANCEL_S, shield=True):
                await self._when_ended().wait()
            raise

    async def _next_batch(self) -> list[tuple[int, Any]]:
        """Results that have come since the last call; empty at the end. Raises as `result`, and `UsageError`."""
        has_waited = False
        self._feed_more()
        while not self._is_ended and (not self._arrived or self._failure is not None):
            has_waited = True
            if self._feed_more():
                await trio.lowlevel.checkpoint()
            else:
                await self._wait_news()
        if not has_waited:
            await trio.lowlevel.checkpoint()
        if self._failure is not None or self._lost is not None:
            self._value()
        arrived, self._arrived = self._arrived, None
        return [(index, payload.loads(self._take(index))) for index in arrived or ()]

    def _feed_more(self) -> bool:
        """Whether another piece of the job has been sent."""
        if self._feed is None or self._feed.is_over or self._lost is not None:
            return False
        try:
            self._feed.send_next(small=self._num_done == 0)
        except UsageError:
            self._cancel_nowait()
            raise
        return True

    def _take(self, index: int) -> bytes:
        data, self._results[index] = self._results[index], None
        return data or b""

    def _cancel_nowait(self) -> None:
        if not self._cancelled and not self._is_ended:
            self._cancelled = True
            self._client._send_cancel(self)

    def _accept(self, message: JobAccepted) -> None:
        self._id = message.job
        self._submission = None
        if message.num_items != len(self._has) and message.num_items >= 0:
            self._name, self._single = readable(message.name), message.single
            self._has = bytearray(message.num_items)
            self._results = [None] * message.num_items
            self._num_done = 0
        self._is_accepted = True
        self._tell()

    def _refuse(self, reason: str) -> None:
        reason = readable(reason, REASON_CHARS_MAX)
        if self._id is None:
            self._refused = reason
        self._lose(reason)

    async def _wait_accepted(self) -> None:
        """Wait until the server has taken the job; raises `JobRejected` when it does not, and `ConnectionLost`."""
        if self._is_accepted or self._is_ended:  # an embedded server answers at once
            await trio.lowlevel.checkpoint()
        while not (self._is_accepted or self._is_ended):
            await self._wait_news()
        if self._id is None:
            self._value()

    def _deposit(self, message: JobOutcomes, parts: Parts) -> None:
        has, results, value = self._has, self._results, OutcomeKind.VALUE
        arrived = self._arrived = self._arrived or []  # at once: what comes before a fault is not told again
        for index, kind, part in zip(message.indices, message.kinds, parts, strict=True):
            if index >= len(has):
                raise ProtocolError(f"the server tells of item {index} of a job of {len(has)}")
            if has[index]:
                continue
            has[index] = True
            self._num_done += 1
            if kind == value:
                results[index] = part
                arrived.append(index)
            elif self._failure is None or self._failure[0] == OutcomeKind.CANCELLED != kind:
                self._failure = (kind, part)
        self._tell()

    @property
    def _is_short(self) -> bool:
        """Whether there are items of which nothing has been told."""
        return self._num_done < len(self._has)

    def _check_end(self) -> None:
        """The server says that all has been told; raises `ProtocolError` if it has not."""
        if self._is_short and self._failure is None and not self._cancelled:
            raise ProtocolError(f"the server ends a job of {len(self._has)} items with {self._num_done} told")

    def _end(self) -> None:
        self._is_ended = True
        waiter, self._waiter = self._waiter, None
        if waiter is not None and waiter.custom_sleep_data is self:  # else it does not wait any more
            trio.lowlevel.reschedule(waiter)
        if self._end_event is not None:
            self._end_event.set()
        self._tell()
        if self._on_end is not None:
            self._on_end()

    def _lose(self, reason: str) -> None:
        if not self._is_ended:
            self._lost = reason
            self._end()

    def _tell(self) -> None:
        news, self._news_event = self._news_event, None
        if news is not None:
            news.set()

    async def _wait_news(self) -> None:
        """Wait until something has changed."""
        if self._news_event is None:  # only where somebody waits: most jobs have one who waits for the end
            self._news_event = trio.Event()
        await self._news_event.wait()

    def _when_ended(self) -> trio.Event:
        """What is set at the job's end."""
        if self._end_event is None:
            self._end_event = trio.Event()
            if self._is_ended:
                self._end_event.set()
        return self._end_event

    def _error(self, *, unpickle: bool = True) -> Exception | None:
        """Why the job has no value, if that is so; for ``unpickle`` see `payload.load_error`."""
        if self._refused is not None:
            return JobRejected(f"the job {self._name} was not taken: {self._refused}")
        if self._lost is not None:
            return ConnectionLost(f"the job {self._name} is lost: {self._lost}")
        if self._failure is not None:
            return payload.load_error(*self._failure, self._name, unpickle=unpickle)
        if self._is_short:
            return TaskCancelled(f"the job {self._name} has been cancelled before all of it was sent")
        return None

    def _value(self) -> Any:
        error = self._error()
        if error is not None:
            raise error
        values = [payload.loads(result or b"") for result in self._results]
        return values[0] if self._single else values


class CompletedItems:
    """Iterates over the items of a job as they end; see `Client.as_completed`."""

    def __init__(self, job: Job, token: trio.lowlevel.TrioToken) -> None:
        self._job = job
        self._token = token
        self._batch: list[tuple[int, Any]] = []

    def __aiter__(self) -> CompletedItems:
        return self

    async def __anext__(self) -> tuple[int, Any]:
        if not self._batch:
            self._batch = (await self._job._next_batch())[::-1]
        if not self._batch:
            raise StopAsyncIteration
        return self._batch.pop()

    def __del__(self) -> None:
        """Nobody can ask for more: what is left of the job is cancelled, in its own loop, whichever thread this is."""
        if not self._job._is_ended:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._job._cancel_nowait)


def _stop_waiting(raise_cancel: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.SUCCEEDED
