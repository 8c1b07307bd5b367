"""What an `Executor` runs on outside of tasks: a thread with a trio loop in it, in which a client of the cluster lives.

Calls come by a queue from any thread, and only the first of several wakes the loop. The thread ends when the pool is
closed and nothing is open, or when the cluster is gone. It does not refer to the `Executor`, whose disappearance closes
the pool.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from typing import Any

import trio

from triort._client.client import Client
from triort._client.pool_dispatch import Call, Dispatcher
from triort._client.pool_errors import BrokenPool
from triort._client.pool_exit import EXIT
from triort._client.pool_functions import Packed
from triort._client.pool_futures import PoolFuture
from triort._client.pool_window import Window
from triort._node.checks import describe

Opening = Callable[[], AbstractAsyncContextManager[Client]]


class Engine:
    """The thread of one pool, which starts at once; the cluster is opened in it."""

    def __init__(self, opening: Opening, window: Window) -> None:
        self.pid = os.getpid()
        self.broken: BrokenPool | None = None
        self.opened = threading.Event()
        """Whether the cluster is there, or will never be."""
        self._opening = opening
        self._inbox: deque[Call | Callable[[], None]] = deque()
        self._dispatcher = Dispatcher(self._inbox, window)
        self._lock = threading.RLock()  # the collector may close a pool in any line
        self._is_closed = False
        self._token: trio.lowlevel.TrioToken | None = None
        self._is_woken = False
        self.thread = threading.Thread(target=self._run, name="triort pool")
        EXIT.enter(self)
        try:
            self.thread.start()
        except BaseException:
            EXIT.leave(self)
            raise

    @property
    def num_workers(self) -> int:
        """How many the cluster has, as far as that is known."""
        return self._dispatcher.window.num_workers

    def submit(self, fn: Packed, args: tuple[Any, ...], kwargs: dict[str, Any]) -> PoolFuture:
        """Take a call; from any thread. Raises `BrokenPool`, and `RuntimeError` after `close`."""
        if self.pid != os.getpid():
            raise BrokenPool("this pool belongs to the process that has forked this one; make another one here")
        future = PoolFuture(self)
        call = Call(future, fn, args, kwargs)
        with self._lock:
            if self.broken is not None:
                raise BrokenPool(*self.broken.args) from self.broken.__cause__
            if self._is_closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._inbox.append(call)
        self._wake()
        return future

    def cancel(self, call: Call) -> None:
        """The future of the call has been cancelled; from any thread."""
        self._do_soon(partial(self._dispatcher.drop, call))

    def close(self, *, cancel_held: bool = False) -> None:
        """Take no more calls, and end when those that are open have ended, or are cancelled; from any thread."""
        with self._lock:
            self._is_closed = True
        self._do_soon(partial(self._dispatcher.close, cancel_held=cancel_held))

    def cancel_all(self) -> None:
        """Cancel all calls that are open; from any thread."""
        self._do_soon(self._dispatcher.cancel_all)

    def join(self) -> None:
        """Wait for the end of the thread, unless this is it, or it has stayed in another process."""
        if self.pid == os.getpid() and self.thread is not threading.current_thread():
            self.thread.join()

    # -- inside --------------------------------------------------------------------------------------------------

    def _do_soon(self, call: Callable[[], None]) -> None:
        self._inbox.append(call)
        self._wake()

    def _wake(self) -> None:
        if self._token is not None and not self._is_woken:
            self._is_woken = True
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._on_wake)

    def _on_wake(self) -> None:
        self._is_woken = False  # before the queue is looked at: what comes later wakes again
        self._dispatcher.news.set()

    def _run(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as exc:  # whatever it is: who waits for results is to hear of it
            self._fail(BrokenPool(f"the cluster of this pool has failed: {describe(exc)}"), exc)
        finally:
            self._dispatcher.end()
            EXIT.leave(self)
            self.opened.set()

    async def _serve(self) -> None:
        async with self._opening() as client:
            window = self._dispatcher.window
            if window.follows:
                window.num_workers = (await client.status()).num_workers
            self._token = trio.lowlevel.current_trio_token()
            self.opened.set()
            try:
                await self._dispatcher.run(client)
            except BrokenPool as exc:
                self._fail(exc, exc.__cause__)

    def _fail(self, error: BrokenPool, cause: BaseException | None) -> None:
        error.__cause__ = cause
        with self._lock:
            self.broken = error
        self._dispatcher.fail(error)
