"""A cluster of one's own: the server in this process, its workers below it, a client over memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from triort._client.session import Client, serve_session
from triort._node.checks import single_error
from triort._node.server import Server
from triort._transport.memory import open_memory_pair


@asynccontextmanager
async def open_cluster(num_workers: int = -1, *, blas_threads: int | None = 1) -> AsyncIterator[Client]:
    """Start an embedded cluster and give a client of it.

    The server runs in this trio loop, the workers (-1: one for each CPU that may be used) are processes below this
    one; nothing listens anywhere. Waits until the workers are ready; raises `StartupError`. Leaving the block cancels
    open jobs and ends the workers.

    Args:
        num_workers: how many worker processes.
        blas_threads: threads that numeric libraries may use in each; None leaves it to them.
    """
    server = Server(None, None, num_workers=num_workers, name="embedded", blas_threads=blas_threads)
    ours, theirs = open_memory_pair("client", "server")
    server_scope = trio.CancelScope()
    error: BaseException | None = None
    with single_error():
        async with trio.open_nursery() as nursery:
            await nursery.start(_run_in, server_scope, server)
            server_scope.shield = True  # a cancel from outside first cancels the jobs, and their ends have to come
            server.adopt_client(ours)
            try:
                async with serve_session(theirs) as client:
                    yield client
            except BaseException as exc:  # raised again below, so that no nursery wraps it
                error = exc
            server.sel.put_nowait(server.handle_shutdown)
    if error is not None:
        raise error


async def _run_in(
    scope: trio.CancelScope, server: Server, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with scope:
        await server.run(task_status=task_status)


def run(fn: Callable[..., Any], *args: Any, num_workers: int = -1, **kwargs: Any) -> Any:
    """Run ``fn(*args, **kwargs)`` as a job on an embedded cluster and return its value; blocks until all has ended.

    Args:
        fn: an async or sync function; inside, `get_runtime` gives the way to child tasks.
        num_workers: how many worker processes; -1: one for each CPU that this process may use.

    Raises what the task raises, with the traceback there as its cause. Ctrl-C ends the cluster and raises
    KeyboardInterrupt.
    """

    async def main() -> Any:
        async with open_cluster(num_workers) as client:
            return await client.run(fn, *args, **kwargs)

    return trio.run(main)
