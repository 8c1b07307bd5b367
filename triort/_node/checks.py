"""What nodes check of their arguments, and how errors out of nurseries become one readable error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from triort._model.errors import StartupError, TriortError, UsageError

PORT_MAX = 65_535


def check_port(port: object) -> int:
    """The port, if it is one (0: any free one); raises `UsageError`."""
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= PORT_MAX:
        raise UsageError(f"{port!r} is not a port; ports are 1 to {PORT_MAX}, or 0 for a free one")
    return port


def check_num_workers(num_workers: object) -> int:
    """The number, if it makes sense; raises `UsageError`."""
    if not isinstance(num_workers, int) or isinstance(num_workers, bool) or (num_workers < 1 and num_workers != -1):
        raise UsageError(f"num_workers is at least 1, or -1 for one on each CPU; not {num_workers!r}")
    return num_workers


def check_threads(blas_threads: object) -> int:
    """The number of threads for numeric libraries, if it makes sense; raises `UsageError`."""
    if not isinstance(blas_threads, int) or isinstance(blas_threads, bool) or blas_threads < 1:
        raise UsageError(f"the threads of numeric libraries are at least 1, not {blas_threads!r}")
    return blas_threads


def check_memory_limit(memory_limit: object) -> int | None:
    """The limit, if it makes sense; raises `UsageError`."""
    if memory_limit is None:
        return None
    if not isinstance(memory_limit, int) or isinstance(memory_limit, bool) or memory_limit < 0:
        raise UsageError(f"memory_limit is a number of bytes, or 0 for no limit; not {memory_limit!r}")
    return memory_limit


def describe(exc: BaseException) -> str:
    """An error in one line: the text of ours, type and text of others; the first one of a group."""
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return str(exc) if isinstance(exc, TriortError) else f"{type(exc).__name__}: {exc}"


@contextmanager
def single_error() -> Iterator[None]:
    """Let a group of errors out as the one that says what happened, where all are `TriortError`."""
    try:
        yield
    except BaseExceptionGroup as group:
        ours, others = group.split(TriortError)
        if others is not None:
            others = others.split(trio.Cancelled)[1]  # these end where their scope ends, and the error goes on
        if others is not None or ours is None:
            raise
        leaves = list(_leaves(ours))
        starts = [leaf for leaf in leaves if isinstance(leaf, StartupError)]
        raise (starts or leaves)[0] from None


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for exc in group.exceptions:
        if isinstance(exc, BaseExceptionGroup):
            yield from _leaves(exc)
        else:
            yield exc
