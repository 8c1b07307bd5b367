"""What a worker knows of the waits of its tasks: whose slot is free, for how long, and until when at most.

A task may wait in several of its own trio tasks at once; its slot is free while any of them does. The nearest deadline
of all waits and tasks here stands in the worker's page, so that the boss pokes when it has passed: the task that keeps
the CPU may be the very one that the deadline is about.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from triort._core.worker_core import Running
from triort._node.page import DEADLINE_NS

if TYPE_CHECKING:
    from triort._node.futures import Future
    from triort._node.worker import Worker


class Waits:
    """The waits of one worker."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.deadlines: dict[Future, float] = {}

    def begin(self, running: Running, future: Future | None = None, deadline: float = math.inf) -> None:
        """One of the task's waits begins, for a future, at most until ``deadline``: its slot is free meanwhile."""
        if future is not None and math.isfinite(deadline):
            self.deadlines[future] = deadline
            self.publish()
        running.waits += 1
        if running.waits == 1:
            running.waited_ns -= self.worker.clock_ns()
            self.worker.core.release_slot(running)

    def end(self, running: Running, future: Future | None = None) -> None:
        """One of the task's waits is over; with the last one it takes its slot again."""
        if future is not None and self.deadlines.pop(future, None) is not None:
            self.publish()
        running.waits -= 1
        if running.waits == 0:
            running.waited_ns += self.worker.clock_ns()
            self.worker.core.retake_slot(running)

    def publish(self) -> None:
        """Write the nearest deadline to the page."""
        core = self.worker.core
        times = list(self.deadlines.values())
        of_child = core.next_deadline()
        if of_child is not None:
            times.append(of_child)
        times += [each.attempt.deadline for each in core.running.values() if each.attempt.deadline is not None]
        nearest = min(times, default=0.0) - self.worker.clock_offset
        self.worker.page.words[DEADLINE_NS] = int(max(nearest, 0.0) * 1e9)
