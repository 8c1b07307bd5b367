"""Which task is on the CPU of which simulated worker: one instrument for all of them."""

from __future__ import annotations

import trio

from triort._node.steps import CURRENT
from triort._node.worker import Worker
from triort.testing._tier2.process import SimProcess


class Steps(trio.abc.Instrument):
    """Told by the context of each step that trio runs, as in a real worker."""

    def __init__(self) -> None:
        self._entered: Worker | None = None

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Trio is about to run a step of ``task``."""
        current = task.context.get(CURRENT)
        if current is not None:
            self._entered, running = current
            self._entered.enter(running)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """The step has ended."""
        worker, self._entered = self._entered, None
        if worker is None:
            current = task.context.get(CURRENT)
            worker = None if current is None else current[0]
        if worker is not None:
            process = worker.process
            assert isinstance(process, SimProcess)
            process.leave_cpu()
