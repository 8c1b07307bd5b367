"""A backend for joblib: after ``import triort.bridges.joblib``, by ``joblib.parallel_config("triort")``.

Each backend has a pool of its own, a `triort.Executor`, which ends with the backend; or it uses one that it is given. A
`Parallel` inside of a task that such a backend runs is run by the same cluster, as children of the task, and cannot
deadlock. There joblib is not told of ends by callbacks, for a task hears of its children when it waits for them.

joblib keeps what is configured in a variable of the thread. Sync tasks of a worker share its one thread and take turns
where they wait, so the variable is put back after each wait.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from triort._client.executor import Executor
from triort._client.pool_nested import can_wait, is_inside
from triort._model.errors import UsageError
from triort._node.defaults import count_cpus

try:
    import joblib.parallel
    from joblib._parallel_backends import FallbackToBackend, SequentialBackend
    from joblib.parallel import AutoBatchingMixin, ParallelBackendBase, register_parallel_backend
except ModuleNotFoundError as exc:
    if exc.name != "joblib":
        raise
    message = "triort.bridges.joblib needs joblib; get it by: pip install 'triort[joblib]'"
    raise ModuleNotFoundError(message, name="joblib") from None

_CONFIGURED = joblib.parallel._backend


class TriortBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """Runs the batches of a `joblib.Parallel` as tasks of triort.

    Args:
        pool: a `triort.Executor` to use; without one, the backend makes its own, of ``n_jobs`` workers.
        address: a running server, for a pool of its own there.
    """

    supports_inner_max_num_threads = True

    def __init__(
        self,
        nesting_level: int | None = None,
        inner_max_num_threads: int | None = None,
        *,
        pool: Executor | None = None,
        address: str | None = None,
        num_workers: int | None = None,
    ) -> None:
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads)
        if pool is not None and not isinstance(pool, Executor):
            raise UsageError(f"pool must be a triort.Executor, not {pool!r:.100}")
        if pool is not None and address is not None:
            raise UsageError("a backend takes a pool or an address, not both")
        self.parallel: Any = None
        self._pool = pool
        self._is_own = pool is None
        self._address = address
        self._num_workers = num_workers
        self._size = 0
        self._open: dict[Future[Any], None] = {}

    # -- what joblib asks for ------------------------------------------------------------------------------------

    @property
    def supports_retrieve_callback(self) -> bool:
        """Whether joblib is told of ends by callbacks."""
        return not is_inside()

    @property
    def supports_timeout(self) -> bool:
        """Whether `retrieve_result` takes a time."""
        return True

    @property
    def default_n_jobs(self) -> int:
        """All workers, but no more than is asked for inside of a task."""
        return 1 if is_inside() else -1

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """How many batches run side by side."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None or (is_inside() and not can_wait()):
            return 1
        return n_jobs if n_jobs > 0 else max(self._count_workers() + 1 + n_jobs, 1)

    def configure(self, n_jobs: int = 1, parallel: Any = None, **others: Any) -> int:
        """Have a pool for so many jobs."""
        count = self.effective_n_jobs(n_jobs)
        if count == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        self.parallel = parallel
        if self._is_own and (self._pool is None or (self._size != count and self._address is None)):
            self._drop_pool()
            self._pool, self._size = self._make_pool(count), count
        return count

    def submit(self, func: Callable[[], Any], callback: Callable[[Future[Any]], None] | None = None) -> Future[Any]:
        """Start a batch."""
        assert self._pool is not None
        future = self._pool.submit(_run_batch, func)
        self._open[future] = None
        for each in (self._note_end, callback):
            if each is not None:
                Future.add_done_callback(future, each)  # that of a future in a task waits
        return future

    def retrieve_result_callback(self, out: Future[Any]) -> Any:
        """The values of a batch that has ended."""
        return out.result()

    def retrieve_result(self, out: Future[Any], timeout: float | None = None) -> Any:
        """The values of a batch."""
        configured = getattr(_CONFIGURED, "config", None)
        try:
            return out.result(timeout)
        finally:
            _configure(configured)

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancel all batches, also those that run."""
        for future in list(self._open):
            future.cancel()
        self._open.clear()

    def terminate(self) -> None:
        """The `Parallel` has ended; the pool is for the next one."""
        self.parallel = None  # it knows this backend, whose end ends the pool
        self.reset_batch_stats()

    def get_nested_backend(self) -> tuple[TriortBackend, None]:
        """What a `Parallel` inside of a batch uses, if it asks for more than one job."""
        level = (self.nesting_level or 0) + 1
        return TriortBackend(nesting_level=level, num_workers=self._count_workers()), None

    def __reduce__(self) -> tuple[Callable[[int, int], TriortBackend], tuple[int, int]]:
        return _load_backend, (self.nesting_level or 0, self._count_workers())

    # -- inside --------------------------------------------------------------------------------------------------

    def _count_workers(self) -> int:
        if self._pool is not None and not self._is_own:
            return self._pool._max_workers
        if self._address is not None:
            self._pool = self._pool or self._make_pool(0)
            return self._pool._max_workers
        return self._num_workers or count_cpus()

    def _make_pool(self, count: int) -> Executor:
        if is_inside():
            return Executor()
        if self._address is not None:
            return Executor(address=self._address)
        return Executor(count, blas_threads=self.inner_max_num_threads or 1)

    def _drop_pool(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def _note_end(self, future: Future[Any]) -> None:
        self._open.pop(future, None)


def _run_batch(batch: Callable[[], Any]) -> Any:
    """A batch, on a worker: it configures joblib for what is nested in it."""
    _configure(None)
    try:
        return batch()
    finally:
        _configure(None)


def _configure(configured: Any) -> None:
    if configured is not None:
        _CONFIGURED.config = configured
    elif hasattr(_CONFIGURED, "config"):
        del _CONFIGURED.config


def _load_backend(nesting_level: int, num_workers: int) -> TriortBackend:
    return TriortBackend(nesting_level=nesting_level, num_workers=num_workers)


register_parallel_backend("triort", TriortBackend)
