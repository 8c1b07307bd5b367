"""`Executor.map`: chunks of calls, a bound on those ahead of the reader, and results in order."""

from __future__ import annotations

import time
import weakref
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import Future

    from triort._client.executor import Executor
    from triort._client.pool_functions import Packed


def iterate_results(
    pool: Executor,
    fn: Packed,
    calls: Iterator[tuple[Any, ...]],
    timeout: float | None,
    chunksize: int,
    buffersize: int | None,
) -> Iterator[Any]:
    """Submit what may be submitted now, and give an iterator over the results; see `Executor.map`."""
    end = None if timeout is None else time.monotonic() + timeout
    tasks = calls if chunksize == 1 else _chunks(calls, chunksize)
    futures = deque(pool._submit(fn, args, {}) for args in islice(tasks, buffersize))
    more = None if buffersize is None else tasks
    results = _results(weakref.ref(pool), fn, futures, more, end)
    return results if chunksize == 1 else _flattened(results)


def _chunks(calls: Iterator[tuple[Any, ...]], size: int) -> Iterator[tuple[Any, ...]]:
    while chunk := list(islice(calls, size)):
        yield (chunk,)


def _results(
    find_pool: weakref.ref[Executor],
    fn: Packed,
    futures: deque[Future[Any]],
    more: Iterator[tuple[Any, ...]] | None,
    end: float | None,
) -> Iterator[Any]:
    """The results; neither the pool nor a result is referred to between two of them."""
    try:
        while futures:
            _submit_next(find_pool, fn, futures, more)
            yield _take(futures.popleft(), end)
    finally:
        for future in futures:
            future.cancel()


def _submit_next(
    find_pool: weakref.ref[Executor], fn: Packed, futures: deque[Future[Any]], more: Iterator[tuple[Any, ...]] | None
) -> None:
    pool = find_pool()
    args = next(more, None) if more is not None and pool is not None else None
    if args is not None and pool is not None:
        futures.append(pool._submit(fn, args, {}))


def _take(future: Future[Any], end: float | None) -> Any:
    """The result of a future, which nobody else waits for."""
    try:
        return future.result(None if end is None else end - time.monotonic())
    finally:
        future.cancel()
        del future


def _flattened(chunks: Iterator[list[Any]]) -> Iterator[Any]:
    for chunk in chunks:
        chunk.reverse()
        while chunk:
            yield chunk.pop()
