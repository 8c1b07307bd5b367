"""How the engine of an `Executor` comes to its cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from triort._client.client import Client
from triort._client.cluster import serve_cluster
from triort._client.opening import dial_client
from triort._client.pool_arguments import PoolArguments
from triort._client.pool_engine import Engine
from triort._client.pool_window import Window
from triort._model.limits import DIAL_S
from triort._node.defaults import count_cpus
from triort._node.template_start import open_early_template


def start_engine(arguments: PoolArguments) -> Engine:
    """Start the thread of a pool. Blocks until a running server has answered, and raises `StartupError` if none does;
    does not wait for workers of its own."""
    limit = arguments.max_workers
    if arguments.address is None:
        num_workers = limit or count_cpus()
        return Engine(partial(_open_own, num_workers, arguments), Window(num_workers, is_own=True))
    engine = Engine(
        partial(dial_client, arguments.address, DIAL_S, arguments.access),
        Window(limit or 1, limit, follows=limit is None),
    )
    engine.opened.wait()
    if engine.broken is not None:
        engine.join()
        raise engine.broken.__cause__ or engine.broken
    return engine


@asynccontextmanager
async def _open_own(num_workers: int, arguments: PoolArguments) -> AsyncIterator[Client]:
    blas_threads, tasks = arguments.blas_threads, arguments.max_tasks_per_child
    with open_early_template(blas_threads) as early:
        async with serve_cluster(
            num_workers, blas_threads, arguments.memory_limit, early, watches_loop=False, tasks_per_worker=tasks
        ) as client:
            yield client
