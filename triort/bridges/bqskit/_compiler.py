"""`Compiler`: what users hold in place of ``bqskit.compiler.Compiler``.

It is one of those, so ``bqskit.compile(circuit, compiler=...)`` takes it. All that it does it does otherwise: there is
no server process and no connection, but a thread with a cluster, or with a client of one.
"""

from __future__ import annotations

import atexit
import logging
import os
import uuid
from collections.abc import Callable, MutableMapping
from contextlib import ExitStack
from functools import partial
from types import SimpleNamespace
from typing import Any, NoReturn, TypeVar

import bqskit.compiler.compiler
from bqskit.compiler.status import CompilationStatus
from bqskit.compiler.task import CompilationTask
from bqskit.compiler.workflow import Workflow

from triort._client.client import Client
from triort._client.jobs import Job
from triort._client.opening import open_client
from triort._model.errors import ConnectionLost, UsageError
from triort._node.checks import check_num_workers, check_threads
from triort._transport.endpoints import show_endpoint
from triort._wire import payload
from triort.bridges.bqskit._compilations import error_text, open_own_cluster, open_workers_template, start_compilation
from triort.bridges.bqskit._loop import ClientLoop
from triort.bridges.bqskit._setup import Setup, own_paths
from triort.bridges.bqskit._tasks import Compilation

T = TypeVar("T")

_logger = logging.getLogger(__name__)
_open: set[Compiler] = set()


class Compiler(bqskit.compiler.compiler.Compiler):  # type: ignore[misc]
    """A drop-in for ``bqskit.compiler.Compiler`` that compiles on triort.

    It starts a cluster of its own, or connects to a running triort server. Use it as a context manager, or call
    `close`; what is left open is closed when the interpreter ends. Its methods may be called from any thread.
    """

    def __init__(
        self,
        ip: str | None = None,
        port: int = 7472,
        num_workers: int = -1,
        runtime_log_level: int = logging.WARNING,
        worker_port: int = 7474,
        num_blas_threads: int = 1,
        *,
        address: str | None = None,
        access: str | os.PathLike[str] | None = None,
    ) -> None:
        """Blocks until the workers are ready, or the server has answered.

        Args:
            ip: the host of a running ``triort-server``; None: start a cluster of one's own.
            port: its port.
            num_workers: how many workers to start; -1: one for each CPU that this process may use.
            runtime_log_level: what of triort's own log is shown on stderr; the logs of passes are another matter.
            worker_port: of no use here: no port is needed for workers.
            num_blas_threads: threads that numeric libraries may use in each worker.
            address: ``HOST[:PORT]`` in one, in place of ``ip`` and ``port``.
            access: for a running server: a client's access file, or a folder that has one; as of `triort.open_client`.

        Raises `StartupError` when there is no server at the address or the workers cannot be started, and `UsageError`.
        """
        self.p: Any = None
        self.conn: Any = None
        self._jobs: dict[uuid.UUID, Job] = {}
        self._paths = own_paths()
        if address is not None and ip is not None:
            raise UsageError("a server is named once: by ip and port, or by address")
        if access is not None and address is None and ip is None:
            raise UsageError("access is for a running server; name its address, too, or leave it out")
        if ip is not None and not isinstance(ip, str):
            raise UsageError(f"ip is the host of a server, not {ip!r}; for a cluster of its own: num_workers=")
        if type(runtime_log_level) is not int:
            raise UsageError(
                f"runtime_log_level is a level of logging, such as logging.INFO, not {runtime_log_level!r}"
            )
        self._hide_log = _show_own_log(runtime_log_level)
        if ip is not None:
            address = show_endpoint(ip, port)
        try:
            if address is None:
                all_cpus = type(num_workers) is int and num_workers < 0
                self._start_cluster(check_num_workers(-1 if all_cpus else num_workers), num_blas_threads)
            else:
                self.conn = ClientLoop(partial(open_client, address, access=access), f"triort client of {address}")
        except BaseException:
            self._end()
            raise
        _open.add(self)

    def _start_cluster(self, num_workers: int, num_blas_threads: int) -> None:
        check_threads(num_blas_threads)
        with open_workers_template(num_blas_threads) as early:
            self.conn = ClientLoop(partial(open_own_cluster, num_workers, num_blas_threads, early), "triort cluster")
            self.p = SimpleNamespace(pid=early.pid)

    def close(self) -> None:
        """End the cluster, or leave the server; what has not ended is cancelled. A second call does nothing."""
        loop, self.conn = self.conn, None
        if loop is not None:
            loop.close()
            _logger.debug("Compiler has been closed.")
        self._end()

    def submit(
        self,
        circuit: Any,
        workflow: Any,
        request_data: bool = False,
        logging_level: int | None = None,
        max_logging_depth: int = -1,
        data: MutableMapping[str, Any] | None = None,
    ) -> uuid.UUID:
        """Start a compilation and return the id for `result`, `status` and `cancel`; does not wait for it.

        Args:
            circuit: what is to be compiled.
            workflow: a pass, several, or a ``Workflow``.
            request_data: whether `result` is to give the pass data, too.
            logging_level: records below it stay where they are; None: the lowest that any logger here shows.
            max_logging_depth: tasks with more ancestors do not log; -1: all do.
            data: entries of the pass data to begin with.

        Raises `RuntimeError` when this has been closed or the workflow cannot be pickled.
        """
        task = CompilationTask(circuit, Workflow(workflow))
        task.request_data = request_data
        task.logging_level = logging_level or self._discover_lowest_log_level()
        task.max_logging_depth = max_logging_depth
        if data is not None:
            task.data.update(data)
        compilation = Compilation(self._paths, Setup(task.logging_level, max_logging_depth))
        try:
            pickled = bytes(payload.dumps(task))
        except Exception as exc:  # the user's classes are asked here
            raise RuntimeError(f"The compilation cannot be pickled: {payload.describe(exc)}") from exc
        self._jobs[task.task_id] = self._call(lambda client: start_compilation(client, compilation, pickled))
        return task.task_id  # type: ignore[no-any-return]

    def status(self, task_id: uuid.UUID) -> CompilationStatus:
        """Whether the compilation is running or done (a failed one is done, too), or unknown: its result has been given
        or it was cancelled."""
        _ = self._loop
        job = self._jobs.get(task_id)
        if job is None:
            return CompilationStatus.UNKNOWN
        return CompilationStatus.DONE if job._is_ended else CompilationStatus.RUNNING

    def result(self, task_id: uuid.UUID) -> Any:
        """Wait for the compilation and return its circuit; with ``request_data`` a pair with its data.

        Raises `RuntimeError` with the traceback in its text when it has failed; its cause is what was raised there.
        Other compilations are not concerned, and this compiler can be used on. Ctrl-C closes it, as it does in BQSKit.
        """
        job = self._job(task_id)
        try:
            self._loop.start(_wait_ended, job).result()
            self._jobs.pop(task_id, None)
            return job._value()
        except KeyboardInterrupt:
            self.close()
            raise
        except Exception as exc:  # whatever the task has raised
            self._jobs.pop(task_id, None)
            raise RuntimeError(error_text(exc)) from exc

    def cancel(self, task_id: uuid.UUID) -> bool:
        """Cancel the compilation, with all of its tasks; does not wait for their ends. True."""
        job = self._job(task_id)
        self._jobs.pop(task_id, None)
        self._call(lambda client: job._cancel_nowait())
        return True

    def compile(
        self,
        circuit: Any,
        workflow: Any,
        request_data: bool = False,
        logging_level: int | None = None,
        max_logging_depth: int = -1,
        data: MutableMapping[str, Any] | None = None,
    ) -> Any:
        """Start a compilation and wait for its result; see `submit` and `result`."""
        return self.result(self.submit(circuit, workflow, request_data, logging_level, max_logging_depth, data))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Compiler belongs to its process and cannot be pickled")

    # -- inside --------------------------------------------------------------------------------------------------

    @property
    def _loop(self) -> ClientLoop:
        if self.conn is None:
            raise RuntimeError("This Compiler has been closed.")
        loop: ClientLoop = self.conn
        return loop

    def _call(self, fn: Callable[[Client], T]) -> T:
        try:
            return self._loop.call(fn)
        except ConnectionLost as exc:
            raise RuntimeError(f"The connection to the cluster is lost: {exc}") from exc

    def _job(self, task_id: uuid.UUID) -> Job:
        _ = self._loop
        if task_id not in self._jobs:
            raise RuntimeError("Unknown task.")
        return self._jobs[task_id]

    def _end(self) -> None:
        self.p = None
        self._jobs.clear()
        _open.discard(self)
        self._hide_log()


async def _wait_ended(client: Client, job: Job) -> None:
    await job._when_ended().wait()


def _show_own_log(level: int) -> Callable[[], None]:
    """Show what triort's own loggers say from this level on, until what this returns is called; warnings and worse are
    shown anyway."""
    undo = ExitStack()
    if level < logging.WARNING:
        logger = logging.getLogger("triort")
        handler = logging.StreamHandler()
        handler.setLevel(level)
        handler.setFormatter(logging.Formatter("%(asctime)s.%(msecs)03d - %(levelname)-8s | %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)
        undo.callback(logger.removeHandler, handler)
        undo.callback(logger.setLevel, logger.level)
        logger.setLevel(min(logger.getEffectiveLevel(), max(level, 1)))
    return undo.close


@atexit.register
def _close_all() -> None:
    for compiler in list(_open):
        compiler.close()
