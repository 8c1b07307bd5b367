"""Every try of a task has its deadline: what is submitted with a time limit keeps it, however often it is tried."""

from __future__ import annotations

from collections.abc import Iterable

from triort._core.attempts import Attempt
from triort._core.server_core import ServerCore
from triort._model.ids import show_address
from triort.testing._run import Checker


class DeadlinesSet(Checker):
    """Holds at any time, for what the server and the workers own."""

    name = "deadlines_set"

    def look(self) -> None:
        """Go through what is open, with its owners."""
        for name, core in self.world.nodes.items():
            if isinstance(core, ServerCore):
                for job in core.jobs.jobs.values():
                    self._check(name, job.open.values())
        for name, worker in self.world.workers.items():
            self._check(name, (child.attempt for child in worker.children.values()))

    def _check(self, name: str, attempts: Iterable[Attempt]) -> None:
        for attempt in attempts:
            limit_s = attempt.spec.options.timeout_s
            if (attempt.deadline is None) != (limit_s is None):
                text = "no deadline" if attempt.deadline is None else "a deadline"
                self.fail(f"{name}: {show_address(attempt.address)} has {text}, and its time limit is {limit_s}")
