"""What users hold of a cluster: it submits their jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

import trio

from triort._client.feed import Feed
from triort._client.jobs import CompletedItems, Job
from triort._client.session import Session
from triort._client.talk import log_level_wanted
from triort._model.errors import ConnectionLost, JobRejected, UsageError
from triort._model.ids import JobId
from triort._model.messages import (
    AttachJob,
    CancelJob,
    DrainRequest,
    NodeStatus,
    Options,
    StatusRequest,
    TaskSpec,
)
from triort._node.options import set_options
from triort._wire import payload


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
        job = self._start(fn, [args], kwargs, single=True)
        await job._end_or_cancel()
        return job._value()

    async def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], progress: bool = False) -> list[Any]:
        """Run ``fn`` for each tuple of items, as one job, and return the values in order.

        A failed item cancels the others; its exception is raised when they have ended. A cancel cancels all.
        ``progress`` shows a bar on stderr if that is a terminal.
        """
        job = self._start(fn, _zip(iterables), {}, single=False)
        if progress:
            from triort._client.progress import watch_progress

            await watch_progress(job)
        else:
            await job._end_or_cancel()
        values: list[Any] = job._value()
        return values

    def as_completed(self, fn: Callable[..., Any], *iterables: Iterable[Any]) -> AsyncIterator[tuple[int, Any]]:
        """Run ``fn`` for each tuple of items, as one job, and iterate over (index, value) as they end.

        A cancel of the loop only stops waiting. Leaving it early cancels what is left of the job, which ends on its
        own. Raises as `map`.
        """
        job = self._start(fn, _zip(iterables), {}, single=False, small=True)
        return CompletedItems(job, trio.lowlevel.current_trio_token())

    async def submit(self, fn: Callable[..., Any], *args: Any, detached: bool = False, **kwargs: Any) -> Job:
        """Start a job and return it, once the server has taken it.

        A ``detached`` job outlives this client: others, or this one later, `attach` to it by its id. Its outcomes are
        kept for `DETACHED_KEEP_S` after its end, or until `Job.forget`. (An embedded server ends with its block, and
        so do the jobs.) Raises `UsageError`, `JobRejected`, `ConnectionLost`.
        """
        job = self._start(fn, [args], kwargs, single=True, detached=detached)
        try:
            await job._wait_accepted()
        except trio.Cancelled:
            job._cancel_nowait()
            raise
        return job

    async def attach(self, job_id: int) -> Job:
        """The detached job of this number, with all of its outcomes, whoever has submitted it. A cancel stops waiting.

        Raises `UsageError` when there is no such job (any more) or it is not detached, and `ConnectionLost`.
        """
        if type(job_id) is not int or not 0 <= job_id < 2**63:
            raise UsageError(f"{job_id!r} is not the number of a job; it is what job.id says")
        session = self._session
        job = Job(self, f"{job_id}", 0, single=False, detached=True)
        job._request = session.next_serial()
        session.requests[job._request] = job
        job._submission = [(AttachJob(job._request, JobId(job_id)), [])]
        session.send(*job._submission[0])
        try:
            await job._wait_accepted()
        except JobRejected:
            raise UsageError(job._refused) from None
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

    async def drain(self, path: str) -> None:
        """Let the manager or worker at this path below the server (``m7473/m7481.w2``) leave, and wait until it has.

        It gets no more tasks, hands back what it has not started, and ends when what runs there is over. A cancel stops
        waiting. Raises `UsageError` when there is none at this path.
        """
        session = self._session
        request, event = DrainRequest(session.next_serial(), path), trio.Event()
        problems: list[str] = []
        session.drains[request.request] = (request, event, problems)
        try:
            session.send(request)
            await event.wait()
        finally:
            session.drains.pop(request.request, None)
        if not problems:
            raise ConnectionLost(session.lost or "no answer")
        if problems[0]:
            raise UsageError(problems[0])

    # -- inside --------------------------------------------------------------------------------------------------

    def _start(
        self,
        fn: Callable[..., Any],
        calls: payload.Calls,
        kwargs: dict[str, Any],
        *,
        single: bool,
        detached: bool = False,
        log_level: int | None = None,
        small: bool = False,
    ) -> Job:
        """Start a job, perhaps by a ``small`` piece; records of its tasks are sent from ``log_level`` on, by default
        from what is wanted here."""
        digest, blob = payload.dump_function(fn)
        level = log_level_wanted() if log_level is None else log_level
        spec = TaskSpec(JobId(0), digest, payload.name_of(fn), 0, self._options, (), level)
        job = Job(self, self._options.name or spec.function_name, len(calls), single=single, detached=detached)
        return self._launch(job, fn, calls, kwargs, spec, blob, small=small)

    def _launch(
        self,
        job: Job,
        fn: Callable[..., Any],
        calls: payload.Calls,
        kwargs: dict[str, Any],
        spec: TaskSpec,
        blob: bytes,
        *,
        small: bool = False,
    ) -> Job:
        """Send the first piece of a job, whose function is packed in ``blob``, and return it. Raises `UsageError` and
        `ConnectionLost`."""
        session = self._session
        job._request = session.next_serial()
        job._feed = Feed(session, job, fn, calls, kwargs, spec, blob)
        job._feed.send_next(small=small)
        return job

    def _send_cancel(self, job: Job) -> None:
        session = self._session
        if session.lost is None:
            session.send(CancelJob(job._request))
            if job._feed is not None:
                job._feed.stop()


def _zip(iterables: tuple[Iterable[Any], ...]) -> payload.Calls:
    if not iterables:
        raise UsageError("map needs at least one iterable")
    return list(zip(*iterables, strict=False)) if len(iterables) > 1 else _Singles(list(iterables[0]))


class _Singles(Sequence[tuple[Any, ...]]):
    """Calls with one argument each: the tuples are made piece by piece, for all of them would hold up the first."""

    __slots__ = ("_arguments",)

    def __init__(self, arguments: list[Any]) -> None:
        self._arguments = arguments

    def __len__(self) -> int:
        return len(self._arguments)

    def __getitem__(self, index: Any) -> Any:
        found = self._arguments[index]
        return [(argument,) for argument in found] if isinstance(index, slice) else (found,)
