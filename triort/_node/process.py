"""What a worker stands on: its process, with its clock, the boss's pokes, and a way to end.

`OwnProcess` is the real one; the simulation gives its workers others, many in one process.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

import trio

from triort._model.errors import TaskInterrupted
from triort._node.interrupts import Allowed, allowed_for, files_above
from triort._node.steps import StepWatch

if TYPE_CHECKING:
    from triort._node.worker import Worker

Call = Callable[..., Any]


class Process(Protocol):
    """What a worker needs of the process that it lives in."""

    @property
    def pid(self) -> int:
        """Its number."""

    def clock_ns(self) -> int:
        """The clock in which the worker measures, and publishes deadlines for its boss."""

    def clock_s(self) -> float:
        """The same in seconds."""

    def attach(self, worker: Worker) -> AbstractContextManager[None]:
        """While the worker runs: take the boss's pokes, and know which task is on the CPU."""

    def wrap(self, call: Call, *, is_async: bool) -> Call:
        """What is called in place of a user's function that has been loaded."""

    def exit(self, code: int, reason: str) -> None:
        """End the process at once, whatever it is doing, and say why on its stderr."""


class OwnProcess:
    """The process that this worker has for itself."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.clock_ns = time.perf_counter_ns
        self.clock_s = time.perf_counter

    @contextmanager
    def attach(self, worker: Worker) -> Iterator[None]:
        """A poke is SIGUSR1; an instrument follows the steps of async tasks."""
        watch = StepWatch(worker.execution.boundary)
        trio.lowlevel.add_instrument(watch)
        signal.signal(signal.SIGUSR1, lambda number, frame: _on_poke(worker, frame))
        try:
            yield
        finally:
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            trio.lowlevel.remove_instrument(watch)

    def wrap(self, call: Call, *, is_async: bool) -> Call:
        """The function itself."""
        return call

    def exit(self, code: int, reason: str) -> None:
        """Leave without clean-up."""
        try:
            os.write(2, reason.encode("utf-8", "backslashreplace"))
        finally:
            os._exit(code)


def _on_poke(worker: Worker, frame: FrameType | None) -> None:
    """The boss wants to be heard while the user's code is on the CPU."""
    running = worker.on_cpu
    if running is None:
        return
    files = files_above(frame, worker.execution.boundary_of(running))
    allowed = Allowed.NOTHING if files is None else allowed_for(files)
    if allowed is not Allowed.NOTHING and worker.answer_poke(running) and allowed is Allowed.INTERRUPT:
        raise TaskInterrupted
