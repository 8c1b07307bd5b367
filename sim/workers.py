"""Processes that run seeds. One simulation goes on per process at a time, and each process starts afresh.

What a call returns or raises comes home. One that takes far too long, or takes its process with it, is told by its
number; Ctrl-C ends them all.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import TypeVar

R = TypeVar("R")

CALL_S_MAX = 300.0
"""When nothing has come home for so long, something hangs."""


class StuckError(Exception):
    """The call of this number, or one soon after it, does not return, or has ended its process."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(number, what)
        self.number = number
        self.what = what


class Workers:
    """Some processes, started when they are first needed; with ``num_jobs`` 1 it is this one."""

    def __init__(self, num_jobs: int) -> None:
        self.num_jobs = num_jobs
        self._executor: ProcessPoolExecutor | None = None
        self._others: set[BaseProcess] = set()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.kill()

    def each(self, fn: Callable[..., R], calls: Sequence[tuple[object, ...]]) -> Generator[R, None, None]:
        """What ``fn(*arguments)`` returns for each of these calls, as they end; raises `StuckError`.

        Calls that have not begun when the generator is closed are not made.
        """
        if self.num_jobs == 1 or len(calls) == 1:
            for arguments in calls:
                yield fn(*arguments)
            return
        executor = self._started()
        numbers = {executor.submit(fn, *arguments): number for number, arguments in enumerate(calls)}
        try:
            yield from self._as_they_end(numbers)
        except KeyboardInterrupt:
            self.kill()
            raise
        finally:
            for future in numbers:
                future.cancel()

    def _as_they_end(self, numbers: dict[Future[R], int]) -> Generator[R, None, None]:
        pending = set(numbers)
        while pending:
            done, pending = wait(pending, CALL_S_MAX, FIRST_COMPLETED)
            if not done:
                self.kill()
                raise StuckError(min(numbers[each] for each in pending), f"does not end within {CALL_S_MAX:g} s")
            for future in sorted(done, key=numbers.__getitem__):
                try:
                    yield future.result()
                except BrokenProcessPool as exc:
                    self.kill()
                    raise StuckError(numbers[future], "has ended its process") from exc

    def _started(self) -> ProcessPoolExecutor:
        if self._executor is None:
            self._others = set(multiprocessing.active_children())
            spawn = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(self.num_jobs, spawn, _heed_no_interrupt)
        return self._executor

    def kill(self) -> None:
        """End the processes at once; new ones start when they are needed."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)
            while mine := [each for each in multiprocessing.active_children() if each not in self._others]:
                for process in mine:  # the executor may have been about to start one more
                    process.terminate()
                for process in mine:
                    process.join()


def _heed_no_interrupt() -> None:
    """Ctrl-C reaches all processes of the terminal; the first one ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
