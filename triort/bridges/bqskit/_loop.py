"""A thread with a trio loop that holds a client of a cluster, for code that knows nothing of trio.

The thread is a daemon: one that is not would be waited for when the interpreter ends, before anybody can close it. Its
owner closes it at exit.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import trio

from triort._client.client import Client
from triort._model.errors import ConnectionLost
from triort._node.checks import single_error

T = TypeVar("T")


class ClientLoop:
    """A client that lives in a loop of its own, from the constructor to `close`.

    The constructor blocks until the client is there, and raises what opening it raises.
    """

    def __init__(self, open_client: Callable[[], AbstractAsyncContextManager[Client]], name: str) -> None:
        self._pid = os.getpid()
        self._open_client = open_client
        self._started: Future[None] = Future()
        self._scope = trio.CancelScope()
        self._token: trio.lowlevel.TrioToken | None = None
        self._client: Client | None = None
        self._nursery: trio.Nursery | None = None
        self._is_closing = threading.Event()
        self._calls: set[Future[Any]] = set()
        self._ended = "this Compiler has been closed"
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()
        try:
            self._started.result()
        except BaseException:
            self.close()
            raise

    def call(self, fn: Callable[[Client], T]) -> T:
        """Call ``fn`` with the client, in the loop, and return what it returns; blocks for a moment. Raises what it
        raises, and `ConnectionLost` when the loop has ended."""
        result: T = self.start(_as_async, fn).result()
        return result

    def start(self, fn: Callable[..., Any], *args: Any) -> Future[Any]:
        """Start ``await fn(client, *args)`` in the loop; the future is set when that has ended, with `ConnectionLost`
        if the loop ends before. Does not block."""
        future: Future[Any] = Future()
        if self._pid != os.getpid():  # the thread has not come along
            future.set_exception(ConnectionLost("it belongs to the process that has forked this one"))
            return future
        try:
            if self._token is None:
                raise trio.RunFinishedError
            self._token.run_sync_soon(self._begin, future, fn, args)
        except trio.RunFinishedError:
            future.set_exception(ConnectionLost(self._ended))
        return future

    def close(self) -> None:
        """Leave the client's context, which ends the cluster if it is an own one; blocks until that is done. A second
        call does nothing, and neither does one in a process that was forked since."""
        if self._pid != os.getpid():
            return
        self._is_closing.set()
        if self._token is not None:
            try:
                self._token.run_sync_soon(self._close)
            except trio.RunFinishedError:
                pass  # it has ended by itself
        self._thread.join()

    # -- in the thread -------------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            trio.run(self._run)
        except BaseException as exc:  # it is raised where somebody waits
            self._ended = str(exc) or type(exc).__name__
            if not self._started.done():
                self._started.set_exception(exc)
        for future in list(self._calls):
            self._fail(future, ConnectionLost(self._ended))

    async def _run(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with self._scope, single_error():
            if self._is_closing.is_set():
                return
            async with self._open_client() as self._client, trio.open_nursery() as self._nursery:
                self._started.set_result(None)
                await trio.sleep_forever()

    def _close(self) -> None:
        """Once it has started, all that runs here is cancelled, and then the client leaves in good order."""
        scope = self._scope if self._nursery is None else self._nursery.cancel_scope
        scope.cancel()

    def _begin(self, future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if self._nursery is None or self._nursery.cancel_scope.cancel_called:
            future.set_exception(ConnectionLost(self._ended))
        else:
            self._calls.add(future)
            self._nursery.start_soon(self._carry_out, future, fn, args)

    async def _carry_out(self, future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            value = await fn(self._client, *args)
        except Exception as exc:  # it belongs to who has called
            self._fail(future, exc)
        else:
            self._calls.discard(future)
            future.set_result(value)

    def _fail(self, future: Future[Any], exc: Exception) -> None:
        self._calls.discard(future)
        future.set_exception(exc)


async def _as_async(client: Client, fn: Callable[[Client], T]) -> T:
    return fn(client)
