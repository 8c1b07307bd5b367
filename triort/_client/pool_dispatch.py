"""What an `Executor` does in its loop: it hands calls to the cluster as jobs, and settles their futures.

Each call becomes a job of its own, for it has an end of its own: one that fails or is cancelled costs no other. Only so
many are handed over as keep the cluster busy (see `pool_window`). The rest is held back as it came: so calls that have
not started can be told from those that have, which `Executor.shutdown` has to, and a million of them cost the cluster
nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import InvalidStateError
from functools import partial
from typing import Any

import trio

from triort._client.client import Client
from triort._client.jobs import Job
from triort._client.pool_calls import InitializerFailed
from triort._client.pool_errors import BrokenPool, NotPicklable, as_pool_error
from triort._client.pool_functions import KnownFunctions, Packed
from triort._client.pool_futures import PoolFuture
from triort._client.pool_window import Window
from triort._client.talk import log_level_wanted
from triort._model.errors import ConnectionLost, RemoteError, UsageError
from triort._model.ids import JobId
from triort._model.limits import POOL_BATCH_MAX, POOL_STATUS_S
from triort._model.messages import Options, TaskSpec
from triort._node.checks import single_error
from triort._wire import payload


class Call:
    """One call: held back, then a job; its future is settled once."""

    __slots__ = ("args", "fn", "future", "is_held", "job", "kwargs")

    def __init__(self, future: PoolFuture, fn: Packed, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.future = future
        self.fn: Packed | None = fn
        self.args = args
        self.kwargs = kwargs
        self.job: Job | None = None
        self.is_held = True
        future._call = self

    def release(self) -> None:
        """Nothing of the user's is needed any more."""
        self.fn, self.args, self.kwargs = None, (), {}


class Dispatcher:
    """The calls of one pool. Used in its loop only, but for `fail`, when that has ended or never begun."""

    def __init__(self, inbox: deque[Call | Callable[[], None]], window: Window) -> None:
        self.inbox = inbox
        self.window = window
        self.client: Client | None = None
        self.is_closing = False
        self.news = trio.Event()
        self._held: deque[Call] = deque()
        self._open: dict[Call, None] = {}
        self._ended: list[Call] = []
        self._known = KnownFunctions(may_store=window.is_own)

    async def run(self, client: Client) -> None:
        """Serve until the pool is closed and nothing is open; raises `BrokenPool` when nothing can come any more."""
        self.client = client
        with single_error():
            async with trio.open_nursery() as nursery:
                if self.window.follows:
                    nursery.start_soon(self._watch_size)
                await self._serve()
                nursery.cancel_scope.cancel()

    def close(self, *, cancel_held: bool) -> None:
        """No more calls will come. Those that the cluster has no room for now are cancelled, or done first."""
        self.is_closing = True
        if cancel_held:
            held = [call for call in self._held if call.is_held]
            for call in held[max(self.window.size() - len(self._open), 0) :]:
                call.future.cancel()
                self.drop(call)

    def drop(self, call: Call) -> None:
        """The future of the call has been cancelled."""
        if call.is_held:
            call.is_held = False
            call.release()
            call.future.set_running_or_notify_cancel()
        elif call.job is not None:
            call.job._cancel_nowait()

    def cancel_all(self) -> None:
        """Nobody waits for anything any more."""
        for call in [*self._held, *self._open]:
            call.future.cancel()

    def fail(self, error: BrokenPool) -> None:
        """Nothing will come of what is open."""
        self._take_in()
        for call in [*self._open, *self._ended, *(call for call in self._held if call.is_held)]:
            call.is_held = False
            _settle(call.future, error=BrokenPool(*error.args), cause=error.__cause__)
            call.release()
        self._held.clear()
        self._open.clear()
        self._ended.clear()

    def end(self) -> None:
        """The thread of the pool ends."""
        self._known.close()

    # -- inside --------------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        while True:
            self.news = trio.Event()
            self._take_in()
            self._settle_ended()
            if self._hand_over():
                await trio.lowlevel.checkpoint()
            elif self.is_closing and not self._open:
                return
            else:
                await self.news.wait()

    def _take_in(self) -> None:
        inbox = self.inbox
        while inbox:
            item = inbox.popleft()
            if type(item) is Call:
                self._held.append(item)
            else:
                item()  # type: ignore[operator]

    def _hand_over(self) -> bool:
        """Hand over a batch of calls; true if more may follow at once."""
        room = self.window.size() - len(self._open)
        count = min(room, POOL_BATCH_MAX)
        level = log_level_wanted() if count > 0 and self._held else 0
        while count > 0 and self._held:
            call = self._held.popleft()
            if call.is_held:
                call.is_held = False
                if call.future.set_running_or_notify_cancel():
                    self._start(call, level)
                    count -= 1
                call.release()
        return bool(self._held) and self.window.size() > len(self._open)

    def _start(self, call: Call, level: int) -> None:
        assert self.client is not None
        assert call.fn is not None
        packed = call.fn
        try:
            digest, blob = packed.pack(self._known)
            spec = TaskSpec(JobId(0), digest, packed.name, 0, Options(), (), level)
            job = call.job = Job(self.client, packed.name, 1, single=True)
            job._on_end = partial(self._on_end, call)
            self._open[call] = None
            self.client._launch(job, packed.fn, [(*packed.leading, *call.args)], call.kwargs, spec, blob)
        except ConnectionLost as exc:
            raise _lost(exc) from exc
        except Exception as exc:
            self._open.pop(call, None)
            error = NotPicklable(str(exc)) if isinstance(exc, UsageError) else exc
            _settle(call.future, error=error, cause=exc.__cause__)
        except BaseException as exc:  # a user's __reduce__ may raise anything; no checkpoint lies above
            self._open.pop(call, None)
            reason = payload.describe(exc)
            _settle(call.future, error=NotPicklable(f"a call of {packed.name} cannot be pickled: {reason}"), cause=exc)

    def _on_end(self, call: Call) -> None:
        self._ended.append(call)
        self.news.set()

    def _settle_ended(self) -> None:
        if not self._ended:
            return
        ended, self._ended = self._ended, []
        self.window.note_ended(len(ended), trio.current_time())
        for call in ended:
            del self._open[call]
            self._settle_job(call)

    def _settle_job(self, call: Call) -> None:
        job, call.job = call.job, None
        assert job is not None
        job._on_end = None
        if job._lost is not None and job._refused is None:
            self._open[call] = None
            raise _lost(job._lost)
        if call.future.cancelled():
            return
        failure = job._error()
        if isinstance(failure, InitializerFailed):
            self._open[call] = None
            raise BrokenPool(str(failure)) from failure
        if failure is not None:
            _settle(call.future, error=as_pool_error(failure), cause=failure.__cause__)
            return
        try:
            value = payload.loads(job._take(0))
        except BaseException as exc:  # the user's classes run here
            error = exc if isinstance(exc, Exception) else RemoteError(type(exc).__qualname__, str(exc))
            _settle(call.future, error=error, cause=exc.__cause__)
        else:
            _settle(call.future, value)

    async def _watch_size(self) -> None:
        """The workers of a running server come and go."""
        assert self.client is not None
        while True:
            await trio.sleep(POOL_STATUS_S)
            try:
                self.window.num_workers = (await self.client.status()).num_workers
            except ConnectionLost as exc:
                raise _lost(exc) from exc
            self.news.set()


def _settle(future: PoolFuture, value: Any = None, error: BaseException | None = None, cause: Any = None) -> None:
    future._call = None
    try:
        if error is None:
            future.set_result(value)
        else:
            error.__cause__ = cause
            future.set_exception(error)
    except InvalidStateError:
        pass  # it has been cancelled meanwhile


def _lost(reason: object) -> BrokenPool:
    return BrokenPool(f"the cluster of this pool is gone: {reason}")
