"""The embedded cluster: a server with workers, and a client over memory, in one trio loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import trio

from triort._client.client import Client
from triort._client.opening import serve_session
from triort._core.node_core import Direction
from triort._model.limits import LOOP_STALL_WARN_S
from triort._node.checks import single_error
from triort._node.machine import OwnMachine
from triort._node.server import Server
from triort._node.template_start import EarlyTemplate
from triort._transport.memory import open_memory_pair


@asynccontextmanager
async def serve_cluster(
    num_workers: int,
    blas_threads: int | None,
    memory_limit: int | None,
    early: EarlyTemplate,
    *,
    watches_loop: bool = True,
    tasks_per_worker: int | None = None,
) -> AsyncIterator[Client]:
    """See `triort.open_cluster`; ``early`` is the template of the workers, with these ``blas_threads``.
    ``watches_loop``: it is the user's own code that may block this loop. ``tasks_per_worker``: after how many a worker
    is replaced."""
    machine = OwnMachine()
    machine.early = early
    server = Server(
        None, None, num_workers=num_workers, name="embedded", blas_threads=blas_threads, memory_limit=memory_limit
    )
    server.machine = machine
    server.tasks_per_worker = tasks_per_worker
    ours, theirs = open_memory_pair("client", "server")
    ours.store = machine.store
    server_scope = trio.CancelScope()
    error: BaseException | None = None
    with single_error():
        async with trio.open_nursery() as nursery:
            await nursery.start(_run_in, server_scope, server)
            server_scope.shield = True  # a cancel from outside first cancels the jobs, and their ends have to come
            server.adopt_client(theirs)
            theirs.divert(partial(server.take, theirs, Direction.CLIENT))
            if watches_loop:
                nursery.start_soon(_watch_loop, server)
            try:
                async with serve_session(ours) as client:
                    ours.divert(client._session.handle)
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
