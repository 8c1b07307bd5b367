"""Which task is on the CPU of a worker while async code runs: trio itself tells.

An instrument looks, before each step of any trio task, whether the step belongs to a triort task (by a context variable
that trio tasks inherit from those that start them). So code in a user's own nurseries is known, too.
"""

from __future__ import annotations

import contextvars
import sys
from types import CodeType, FrameType
from typing import TYPE_CHECKING

import trio

from triort._core.worker_core import Running

if TYPE_CHECKING:
    from triort._node.worker import Worker

CURRENT: contextvars.ContextVar[tuple[Worker, Running] | None] = contextvars.ContextVar("triort_task", default=None)


class StepWatch(trio.abc.Instrument):
    """Has the worker enter and leave a task around each step of the task's code.

    trio's loop, which calls the instrument, is entered into ``boundary``: below its frame nothing is the user's.
    """

    def __init__(self, boundary: set[CodeType]) -> None:
        self._boundary = boundary
        self._entered: Worker | None = None
        self._knows_loop = False

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Trio is about to run a step of ``task``."""
        current = task.context.get(CURRENT)
        if current is not None:
            if not self._knows_loop:
                self._learn_loop()
            worker, running = current
            self._entered = worker
            worker.enter(running)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """The step has ended. In its first one a task has entered by itself, for it was nobody's when that began."""
        worker, self._entered = self._entered, None
        if worker is None:
            current = task.context.get(CURRENT)
            worker = None if current is None else current[0]
        if worker is not None:
            worker.leave()

    def _learn_loop(self) -> None:
        frame: FrameType | None = sys._getframe(2)
        while frame is not None and "instrument" in frame.f_code.co_filename:
            frame = frame.f_back
        if frame is not None:
            self._boundary.add(frame.f_code)
        self._knows_loop = True
