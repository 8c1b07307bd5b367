"""A cluster of one's own: the server in this process, its workers below it, a client over memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from triort._client.client import Client
from triort._client.opening import serve_session
from triort._model.limits import LOOP_STALL_WARN_S
from triort._node.checks import single_error
from triort._node.server import Server
from triort._transport.memory import open_memory_pair


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
    server = Server(
        None, None, num_workers=num_workers, name="embedded", blas_threads=blas_threads, memory_limit=memory_limit
    )
    ours, theirs = open_memory_pair("client", "server")
    server_scope = trio.CancelScope()
    error: BaseException | None = None
    with single_error():
        async with trio.open_nursery() as nursery:
            await nursery.start(_run_in, server_scope, server)
            server_scope.shield = True  # a cancel from outside first cancels the jobs, and their ends have to come
            server.adopt_client(theirs)
            nursery.start_soon(_watch_loop, server)
            try:
                async with serve_session(ours) as client:
                    yield client
            except BaseException as exc:  # raised again below, so that no nursery wraps it
                error = exc
            nursery.cancel_scope.cancel()  # the loop's watch; the server is shielded
            server.sel.put_nowait(server.handle_shutdown)
    if error is not None:
        raise error


async def _run_in(
    scope: trio.CancelScope, server: Server, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with scope:
        await server.run(task_status=task_status)


async def _watch_loop(server: Server) -> None:
    """Warn once when this process's own code has kept the loop, and so the cluster, from running with jobs open."""
    late_s = 0.0
    while late_s < LOOP_STALL_WARN_S or not server.open_jobs():
        due = trio.current_time() + LOOP_STALL_WARN_S / 2
        await trio.sleep_until(due)
        late_s = trio.current_time() - due
    server.logger.warning(
        "the trio loop was blocked for %.2f s: the embedded cluster's server runs in it and serves nobody meanwhile; "
        "put long computations into tasks, or run a server of its own",
        late_s,
    )


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
