"""Sync code deep below a coroutine may wait in trio: for simulated workers, whose sync tasks take virtual time.

A real worker's loop stands still while a sync task is on the CPU. In a simulation a thousand loops share one thread, so
this one loop has to stand still while trio goes on with the others. The loop's coroutine therefore runs in a greenlet
of its own; what it yields to trio is passed on by the coroutine `Portal.run`, which is what trio sees. Code in any
greenlet below it (a user's function) can then switch straight to `Portal.run` and have it await something:

    trio ── Portal.run ──switch── loop greenlet (worker.run) ──switch── task greenlet (user's function)
                 ▲                                                            │
                 └──────────────────────── wait ──────────────────────────────┘

While a task is on the CPU, trio's and sniffio's marks of a running loop are hidden from it (see `sync_tasks`); they are
shown again for the time of the wait.
"""

from __future__ import annotations

import contextvars
import types
from collections.abc import Awaitable, Callable, Generator
from typing import Any, NamedTuple

import greenlet
import sniffio

from triort._node.sync_tasks import trio_context


class _Done(NamedTuple):
    value: Any


class _Trap(NamedTuple):
    """The loop's coroutine has yielded this to trio."""

    value: Any


class _Wait(NamedTuple):
    """Code in this greenlet wants this to be awaited."""

    source: greenlet.greenlet
    async_fn: Callable[..., Awaitable[Any]]
    args: tuple[Any, ...]


@types.coroutine
def _yield(trap: Any) -> Generator[Any, Any, Any]:
    return (yield trap)


class Portal:
    """One coroutine that runs in a greenlet of its own."""

    __slots__ = ("_context", "_library", "_outside")

    def __init__(self) -> None:
        self._outside: greenlet.greenlet | None = None
        self._context: dict[str, Any] = {}
        self._library: str | None = None

    async def run(self, async_fn: Callable[..., Any], *args: Any) -> Any:
        """As ``await async_fn(*args)``, with `wait` working below it."""
        self._outside = greenlet.getcurrent()
        self._context = dict(trio_context().__dict__)
        self._library = sniffio.thread_local.name
        inside = greenlet.greenlet(self._drive)
        inside.gr_context = contextvars.copy_context()
        message = inside.switch(async_fn(*args))
        while True:
            match message:
                case _Done(value):
                    return value
                case _Trap(trap):
                    try:
                        value = await _yield(trap)
                    except BaseException as exc:
                        message = inside.switch(exc, True)
                    else:
                        message = inside.switch(value, False)
                case _Wait(source, wait_fn, wait_args):
                    try:
                        value = await wait_fn(*wait_args)
                    except BaseException as exc:
                        message = source.switch((exc, True))
                    else:
                        message = source.switch((value, False))

    def wait(self, async_fn: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """Await ``async_fn(*args)`` from sync code below `run`; the coroutine of `run` stands still meanwhile."""
        assert self._outside is not None, "the portal is not open"
        shown = trio_context().__dict__
        hidden = dict(shown)
        library, sniffio.thread_local.name = sniffio.thread_local.name, self._library
        shown.update(self._context)
        value, is_error = self._outside.switch(_Wait(greenlet.getcurrent(), async_fn, args))
        shown.clear()
        shown.update(hidden)
        sniffio.thread_local.name = library
        if is_error:
            raise value
        return value

    def _drive(self, coro: types.CoroutineType[Any, Any, Any]) -> _Done:
        assert self._outside is not None
        value: Any = None
        is_error = False
        while True:
            try:
                trap = coro.throw(value) if is_error else coro.send(value)
            except StopIteration as stop:
                return _Done(stop.value)
            value, is_error = self._outside.switch(_Trap(trap))
