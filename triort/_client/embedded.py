"""A cluster of one's own: the server in this process, its workers below it, a client over memory.

What takes long to import is imported here only when the workers' template has begun, which imports it as well.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from triort._node.template_start import EarlyTemplate, open_early_template

if TYPE_CHECKING:
    from triort._client.client import Client


@asynccontextmanager
async def open_cluster(
    num_workers: int = -1, *, blas_threads: int | None = 1, memory_limit: int | None = None
) -> AsyncIterator[Client]:
    """Start an embedded cluster and give a client of it.

    The server runs in this trio loop, the workers (-1: one for each CPU that may be used) are processes below this
    one; nothing listens anywhere. Waits until the workers are ready; raises `StartupError`. Leaving the block cancels
    open jobs and ends the workers.

    Args:
        num_workers: how many worker processes.
        blas_threads: threads that numeric libraries may use in each; None leaves it to them.
        memory_limit: how many bytes each may have in memory before it is killed and its task ends with `OutOfMemory`;
            None: its share of 95% of what this machine or control group has; 0: any.
    """
    with open_early_template(blas_threads) as early:
        from triort._client.cluster import serve_cluster

        async with serve_cluster(num_workers, blas_threads, memory_limit, early) as client:
            yield client


def run(fn: Callable[..., Any], *args: Any, num_workers: int = -1, **kwargs: Any) -> Any:
    """Run ``fn(*args, **kwargs)`` as a job on an embedded cluster and return its value; blocks until all has ended.

    Args:
        fn: an async or sync function; inside, `get_runtime` gives the way to child tasks.
        num_workers: how many worker processes; -1: one for each CPU that this process may use.

    Raises what the task raises, with the traceback there as its cause. Ctrl-C ends the cluster and raises
    KeyboardInterrupt.
    """
    with open_early_template(1) as early:
        import trio

        return trio.run(_run_job, early, num_workers, fn, args, kwargs)


async def _run_job(
    early: EarlyTemplate, num_workers: int, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    from triort._client.cluster import serve_cluster

    async with serve_cluster(num_workers, 1, None, early) as client:
        return await client.run(fn, *args, **kwargs)
