"""`triort.Executor`: the interface of `concurrent.futures` over a cluster of triort.

Outside of tasks an *engine* does the work: a thread with a client of the cluster in it (`pool_engine`). Inside a task
the calls are children of that task (`pool_nested`), wherever the pool was made.
"""

from __future__ import annotations

import concurrent.futures
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from triort._client.pool_arguments import PoolArguments, check_arguments, check_map
from triort._client.pool_calls import Setup
from triort._client.pool_engine import Engine
from triort._client.pool_exit import EXIT
from triort._client.pool_functions import Packed
from triort._client.pool_map import iterate_results
from triort._client.pool_nested import NestedCalls, is_inside
from triort._client.pool_opening import start_engine
from triort._model.errors import UsageError
from triort._node.defaults import count_cpus

P = ParamSpec("P")
T = TypeVar("T")


class Executor(concurrent.futures.Executor):
    """A `concurrent.futures.Executor` over an embedded cluster, or over a running server.

    Takes what `ProcessPoolExecutor` takes. The cluster starts with the first call; a running server is connected to at
    once. Inside a task the pool is the cluster that the task runs on, and its calls are children of the task.

    Args:
        max_workers: how many worker processes; None: one for each CPU that this process may use. With ``address``: how
            many calls may be there at once; None: as many as keep its workers busy. Inside a task: nothing.
        mp_context: not needed, for workers come from a fresh process; a context that forks is refused.
        initializer: called with ``initargs`` in each worker before the first call of this pool there.
        initargs: its arguments.
        max_tasks_per_child: after how many tasks a worker is replaced; not with ``address``.
        address: a running server at ``HOST[:PORT]``.
        access: with ``address``: a client's access file, or a folder that has one; as of `open_client`.
        blas_threads: threads that numeric libraries may use in each worker; None leaves it to them.
        memory_limit: how many bytes a worker may have in memory; as of `open_cluster`.

    Raises `UsageError` for arguments that make no sense, and with ``address`` `StartupError` if no server is there.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        mp_context: Any = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        max_tasks_per_child: int | None = None,
        address: str | None = None,
        access: Any = None,
        blas_threads: int | None = 1,
        memory_limit: int | None = None,
    ) -> None:
        self._set_up(
            check_arguments(
                max_workers, mp_context, initializer, initargs, max_tasks_per_child, address, access, blas_threads,
                memory_limit,
            )
        )  # fmt: skip
        if address is not None:
            if is_inside():
                raise UsageError("inside a task a pool is the cluster of the task; leave the address out")
            self._start()

    def _set_up(self, arguments: PoolArguments) -> None:
        self._arguments = arguments
        self._setup: Setup | None = None
        self._lock = threading.RLock()
        self._engine: Engine | None = None
        self._nested = NestedCalls()
        self._is_shut_down = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> concurrent.futures.Future[T]:
        """Have ``fn(*args, **kwargs)`` called on a worker, and return its future; does not block. Async functions may
        be called, too.

        Raises `RuntimeError` after `shutdown` and `BrokenPool`. What cannot be pickled is told by the future.
        """
        return self._submit(self._pack(fn), args, kwargs)

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """Iterate over ``fn`` of each tuple of items, in order; all calls are submitted now, in chunks of
        ``chunksize``.

        With ``buffersize`` only so many chunks are submitted ahead of what has been taken, and the items are asked for
        as late. Raises what the first call in order that fails raises, and `TimeoutError` when a result is not there
        ``timeout`` seconds from now. Whatever ends the iteration early cancels the calls that are left.
        """
        check_map(chunksize, buffersize)
        packed = self._pack(fn, in_chunks=chunksize > 1)
        return iterate_results(self, packed, zip(*iterables, strict=False), timeout, chunksize, buffersize)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and end the cluster when those that are open have ended.

        Args:
            wait: whether to block until then.
            cancel_futures: cancel the calls that have not started.
        """
        with self._lock:
            self._is_shut_down = True
            engine = self._engine
        if is_inside():
            self._nested.close(wait=wait, cancel_futures=cancel_futures)
        elif engine is not None:
            engine.close(cancel_held=cancel_futures)
            if wait:
                engine.join()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> bool | None:
        """Shut down. A Ctrl-C cancels what is open; anything else waits for it."""
        if exc_type is not None and issubclass(exc_type, KeyboardInterrupt) and self._engine is not None:
            self._engine.cancel_all()
        self.shutdown(wait=True)
        return None

    def __reduce__(self) -> tuple[Callable[[PoolArguments], Executor], tuple[PoolArguments]]:
        return _restore, (self._arguments,)

    # -- inside --------------------------------------------------------------------------------------------------

    @property
    def _max_workers(self) -> int:
        """What Dask, for one, asks a pool for."""
        engine = self._engine
        return self._arguments.max_workers or (count_cpus() if engine is None else max(engine.num_workers, 1))

    def _pack(self, fn: Callable[..., Any], *, in_chunks: bool = False) -> Packed:
        self._setup = self._arguments.setup(self._setup)
        return Packed(fn, self._setup, in_chunks=in_chunks)

    def _submit(self, fn: Packed, args: tuple[Any, ...], kwargs: dict[str, Any]) -> concurrent.futures.Future[Any]:
        engine = self._engine
        if engine is None or is_inside():
            with self._lock:
                if self._is_shut_down:
                    raise RuntimeError("cannot schedule new futures after shutdown")
                if EXIT.is_near:
                    raise RuntimeError("cannot schedule new futures after interpreter shutdown")
                if is_inside():
                    return self._nested.submit(fn, args, kwargs)
                engine = self._start()
        return engine.submit(fn, args, kwargs)

    def _start(self) -> Engine:
        if self._engine is None:
            self._engine = start_engine(self._arguments)
            weakref.finalize(self, self._engine.close).atexit = False
        return self._engine


def _restore(arguments: PoolArguments) -> Executor:
    """A copy of a pool, in another process."""
    pool = Executor.__new__(Executor)
    pool._set_up(arguments)
    return pool
