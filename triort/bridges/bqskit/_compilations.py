"""Compilations as the side of the client starts them, in a trio loop, and what it makes of their ends. The `Compiler`
and the gateway share this."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager

from triort._client.client import Client
from triort._client.cluster import serve_cluster
from triort._client.jobs import Job
from triort._model.errors import RemoteTraceback
from triort._node.template_start import BLAS_VARIABLES, EarlyTemplate, open_early_template
from triort.bridges.bqskit._logs import NOT_BY_TRIORT
from triort.bridges.bqskit._tasks import Compilation

PRELOAD = ("bqskit.compiler.compile", "bqskit.passes", "cloudpickle", "triort.bridges.bqskit._tasks")


def open_workers_template(blas_threads: int) -> AbstractContextManager[EarlyTemplate]:
    """Begin the process whose forks the workers are. It imports BQSKit, once for all of them, unless that would start
    threads of the numeric libraries in it, which no fork would have."""
    variables = dict.fromkeys(BLAS_VARIABLES, str(blas_threads))
    preload = PRELOAD if blas_threads == 1 else ()
    return open_early_template(blas_threads, preload=preload, variables=variables)


def open_own_cluster(
    num_workers: int, blas_threads: int, template: EarlyTemplate
) -> AbstractAsyncContextManager[Client]:
    """A cluster in this loop, over this template. Its workers may have any memory, as BQSKit's have: a single one may
    need more than its share for a while."""
    return serve_cluster(num_workers, blas_threads, 0, template, watches_loop=False)


def start_compilation(client: Client, compilation: Compilation, data: bytes) -> Job:
    """Start it as a job. Raises `UsageError`, `ConnectionLost`."""
    return client._start(compilation, [(data,)], {}, single=True, log_level=NOT_BY_TRIORT)


def error_text(exc: Exception) -> str:
    """What BQSKit's clients see of a failed compilation: the traceback there, if there is one."""
    trace = exc.__cause__
    return str(trace).strip("\n") if isinstance(trace, RemoteTraceback) else f"{type(exc).__name__}: {exc}"
