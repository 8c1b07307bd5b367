"""What a workflow gives when nothing goes wrong and nothing runs beside anything else: the oracle of a user's test.

Each child runs when it is waited for, in the calling thread, one after the other, with arguments and values pickled as
on their way to a worker and back. No cluster, no worker and none of the product's books take part, so what they do
wrong does not show here. A cancelled child is not run, and neither is one that nobody waits for.
"""

from __future__ import annotations

import contextvars
import inspect
import warnings
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs
import sniffio
import trio
import trio.testing

from triort._model.errors import TaskCancelled, UsageError
from triort._model.ids import Digest
from triort._model.outcomes import OutcomeKind
from triort._node.runtime import STAND_IN
from triort._node.sync_tasks import trio_context
from triort._wire import payload

LOOKS_FOR_MESSAGES_MAX = 1000
"""A task that has looked for messages so often in vain waits for one that will not come."""


def run_sequentially(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The value of ``fn(*args, **kwargs)`` as a job; raises what the job would raise. Sleeps take no real time."""
    return _run_child(_Child(fn, payload.dump_calls(fn, [args], kwargs)[0][0], {}, [], 0))


@attrs.define
class _Child:
    fn: Callable[..., Any]
    data: bytes
    values: dict[Digest, Any]
    messages: list[Any]
    retries: int


class SequentialRuntime:
    """What `triort.get_runtime` gives to tasks here; the same names as `triort._node.runtime.Runtime`."""

    def __init__(self, values: dict[Digest, Any], messages: list[Any], cache: dict[Any, Any], retries: int = 0) -> None:
        self._values = values
        self._messages = messages
        self._cache = cache
        self._retries = retries
        self._in_vain = 0

    def options(self, *, retries: int | None = None, **others: Any) -> SequentialRuntime:
        """Only the number of retries makes a difference to what comes out."""
        kept = self._retries if retries is None else retries
        return SequentialRuntime(self._values, self._messages, self._cache, kept)

    def submit(
        self,
        fn: Callable[..., Any],
        *args: Any,
        task_name: str | None = None,
        log_context: Mapping[str, str] = {},
        **kwargs: Any,
    ) -> SequentialFuture:
        """A child, to be run when it is waited for."""
        return SequentialFuture(payload.name_of(fn), [self._child(fn, args, kwargs)], is_map=False)

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        task_name: str | None = None,
        log_context: Mapping[str, str] = {},
        **kwargs: Any,
    ) -> SequentialFuture:
        """Children, one for each tuple of items."""
        if not iterables:
            raise UsageError("map needs at least one iterable")
        children = [self._child(fn, args, kwargs) for args in zip(*iterables, strict=False)]
        return SequentialFuture(payload.name_of(fn), children, is_map=True)

    def put(self, value: Any) -> payload.Ref:
        """Keep a value for several children."""
        blob = payload.dumps(value)
        digest = payload.digest_of(blob)
        self._values[digest] = payload.loads(blob)
        return payload.Ref(digest)

    async def next(self, future: SequentialFuture) -> list[tuple[int, Any]]:
        """Run the next child."""
        return [await future._run_next()]

    async def as_completed(self, future: SequentialFuture) -> AsyncIterator[tuple[int, Any]]:
        """Run child after child."""
        while future._next < len(future._children):
            yield await future._run_next()

    def cancel(self, future: SequentialFuture) -> None:
        """What has not run will not."""
        future._cancelled = True

    def communicate(self, future: SequentialFuture, msg: Any) -> None:
        """Tell all children."""
        for child in future._children:
            child.messages.append(payload.loads(payload.dumps(msg)))

    def get_messages(self) -> list[Any]:
        """What the parent has said since the last call."""
        messages = list(self._messages)
        self._messages.clear()
        self._in_vain = 0 if messages else self._in_vain + 1
        if self._in_vain > LOOKS_FOR_MESSAGES_MAX:
            raise UsageError(
                "the oracle runs one task after the other, and this one waits for a message that its parent has not "
                "sent yet; let the parent send it before it waits for the child"
            )
        return messages

    def get_cache(self) -> dict[Any, Any]:
        """One dict for all: there is one worker."""
        return self._cache

    def _child(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Child:
        return _Child(fn, payload.dump_calls(fn, [args], kwargs)[0][0], self._values, [], self._retries)


class SequentialFuture:
    """Children that run when they are waited for."""

    def __init__(self, name: str, children: list[_Child], *, is_map: bool) -> None:
        self._name = name
        self._children = children
        self._is_map = is_map
        self._results: list[Any] = []
        self._next = 0
        self._cancelled = False

    def done(self) -> bool:
        """Whether waiting would run nothing."""
        return self._cancelled or self._next == len(self._children)

    def result(self) -> Any:
        """Run what has not run, and give the value or values."""
        self._check()
        while self._next < len(self._children):
            self._results.append(_run_child(self._take()))
        return self._value()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._run_all().__await__()

    async def _run_all(self) -> Any:
        self._check()
        await trio.lowlevel.checkpoint()
        while self._next < len(self._children):
            await self._run_next()
        return self._value()

    async def _run_next(self) -> tuple[int, Any]:
        self._check()
        if self._next == len(self._children):
            raise UsageError(f"all results of this future ({self._name}) have been taken")
        index = self._next
        value = await _await_child(self._take())
        self._results.append(value)
        return index, value

    def _take(self) -> _Child:
        self._next += 1
        return self._children[self._next - 1]

    def _check(self) -> None:
        if self._cancelled:
            raise TaskCancelled(f"task {self._name} has been cancelled")

    def _value(self) -> Any:
        return list(self._results) if self._is_map else self._results[0]


def _run_child(child: _Child) -> Any:
    """From sync code: an async function gets a loop of its own."""

    async def main() -> Any:
        return await _await_child(child)

    def run() -> Any:
        with _hidden_loop(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="It looks like Trio's signal handling code might have collided")
            return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    return contextvars.copy_context().run(run)


async def _await_child(child: _Child) -> Any:
    """Run a child, again as often as it may."""
    while True:
        args, kwargs = payload.load_call(child.data, child.values.__getitem__)
        before = STAND_IN.get()
        cache = before.get_cache() if isinstance(before, SequentialRuntime) else {}
        token = STAND_IN.set(SequentialRuntime(child.values, list(child.messages), cache))
        try:
            value = child.fn(*args, **kwargs)
            if inspect.isawaitable(value):
                value = await value
            return payload.loads(payload.dumps(value))
        except trio.Cancelled:
            raise
        except BaseException as exc:
            if not child.retries:
                failure = payload.dump_failure(exc)
                raise payload.load_error(OutcomeKind.ERROR, failure, payload.name_of(child.fn)) from None
            child.retries -= 1
        finally:
            STAND_IN.reset(token)


@contextmanager
def _hidden_loop() -> Iterator[None]:
    """Let a loop run inside one that stands still meanwhile; see `sync_tasks` for the names."""
    library, sniffio.thread_local.name = sniffio.thread_local.name, None
    shown = trio_context().__dict__
    hidden = dict(shown)
    shown.clear()
    try:
        yield
    finally:
        shown.update(hidden)
        sniffio.thread_local.name = library
