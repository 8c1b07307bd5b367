"""The items of a job on their way to the server: in pieces, with a checkpoint between them.

To pickle the arguments of a large map takes a while. Neither the first results nor this loop, in which the server of an
embedded cluster runs, should wait for the last of them. So what is sent is bounded in items and bytes, and pieces are
small at first, and as long as somebody waits for the first result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import trio

from triort._model.errors import UsageError
from triort._model.limits import FEED_BYTES_MAX, FEED_ITEMS_FIRST, FEED_ITEMS_MAX, FEED_ITEMS_SMALL
from triort._model.messages import SubmitJob, TaskSpec
from triort._wire import payload

if TYPE_CHECKING:
    from triort._client.jobs import Job
    from triort._client.session import Session

_STEP = 32
"""Items after which the bytes are looked at."""


class Feed:
    """What of one job has not been sent; the job lets go of it with the last piece."""

    __slots__ = ("_blob", "_calls", "_fn", "_job", "_kwargs", "_position", "_session", "_spec", "is_over")

    def __init__(
        self,
        session: Session,
        job: Job,
        fn: Callable[..., Any],
        calls: payload.Calls,
        kwargs: dict[str, Any],
        spec: TaskSpec,
        blob: bytes,
    ) -> None:
        self._session = session
        self._job = job
        self._fn = fn
        self._calls = calls
        self._kwargs = kwargs
        self._spec = spec
        self._blob = blob
        self._position = 0
        self.is_over = False
        """Whether the server has been told that there is no more."""

    def send_next(self, *, small: bool = False) -> None:
        """Send the next piece, a ``small`` one if somebody waits for the first result. Does not block.

        Raises `UsageError` when it cannot be pickled, and `ConnectionLost`.
        """
        if self._job._failure is not None:
            self.stop()
        if self.is_over:
            return
        is_first = not self._position
        items = self._pickle(FEED_ITEMS_SMALL if small else FEED_ITEMS_FIRST if is_first else FEED_ITEMS_MAX)
        if is_first:
            self._session.requests[self._job._request] = self._job
        self._send([self._blob] if is_first else [], items, last=self._position == len(self._calls))

    async def send_all(self) -> None:
        """Send all pieces; a checkpoint between two of them. Raises as `send_next`."""
        while not self.is_over:
            await trio.lowlevel.checkpoint()
            self.send_next()

    def stop(self) -> None:
        """Nothing more is to be sent, for the job is cancelled or has failed."""
        if not self.is_over:
            self._send([], [], last=True)

    def _pickle(self, count: int) -> list[bytes]:
        items: list[bytes] = []
        size = 0
        end = min(self._position + count, len(self._calls))
        while self._position < end and size < FEED_BYTES_MAX:
            calls = self._calls[self._position : min(self._position + _STEP, end)]
            dumped, refs = payload.dump_calls(self._fn, calls, self._kwargs, self._session.conn.store)
            if refs:
                raise UsageError("a triort Ref belongs to the job of the task that made it; pass the value instead")
            items += dumped
            size += sum(map(len, dumped))
            self._position += len(calls)
        return items

    def _send(self, blobs: list[bytes], items: list[bytes], *, last: bool) -> None:
        job, session = self._job, self._session
        self.is_over = last
        if last:
            job._feed = None
        parts = [*blobs, *items]
        sizes = [len(part) for part in parts]
        message = SubmitJob(job._request, self._spec, len(blobs), last, sizes, job._single, job._is_detached)
        if session.reopen is not None:
            job._submission = job._submission or []
            job._submission.append((message, parts))
        session.send(message, parts)
