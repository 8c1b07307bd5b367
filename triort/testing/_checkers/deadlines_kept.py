"""Deadlines are kept: no task is out of time early, and each one with a deadline ends soon after it.

Soon is some crossings of the tree, more where nodes end, and where tasks ignore their cancels the grace time for each
that may be in the way.
"""

from __future__ import annotations

from triort.testing._checkers.books import answer_s, is_untimely, options_by_task
from triort.testing._events import Event, Kind
from triort.testing._run import Checker, World

EARLY_S = 1e-6


class DeadlinesKept(Checker):
    """Holds unless clocks or pauses are among the faults."""

    name = "deadlines_kept"
    kinds = frozenset({Kind.SUBMIT, Kind.SETTLE, Kind.DIED, Kind.JOB})

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        plan = world.plan
        self._timeouts = {
            name: (each.timeout_s, bool(getattr(each, "items", ())))
            for name, each in options_by_task(plan).items() if each.timeout_s is not None
        }  # fmt: skip
        self._is_off = is_untimely(plan)
        self._slack_s = answer_s(plan)
        self._due: dict[str, tuple[float, str]] = {}

    def see(self, event: Event) -> None:
        """Note deadlines, and compare."""
        name = event.what
        if event.kind is Kind.DIED:
            self._due = {task: due for task, due in self._due.items() if due[1] != event.node}
        elif event.kind is Kind.SUBMIT and name in self._timeouts:
            self._due[name] = (event.time_s + (self._timeouts[name][0] or 0.0), event.node)
        elif event.kind is Kind.SETTLE and name in self._due:
            due_s, _ = self._due.pop(name)
            if event.detail == "timeout" and event.time_s < due_s - EARLY_S and not self._is_off:
                self.fail(f"{name} is out of time at {event.time_s:.6f} s, {due_s - event.time_s:.6f} s too early")
            if event.time_s > due_s + self._slack_s and not self._is_off:
                self.fail(f"{name} was to end at {due_s:.3f} s and did so {event.time_s - due_s:.3f} s later")
        elif event.kind is Kind.JOB:
            prefix = f"{name}."
            self._due = {task: due for task, due in self._due.items() if not task.startswith(prefix)}

    def look(self) -> None:
        """Is anything overdue?"""
        if self._is_off:
            return
        for name, (due_s, node) in self._due.items():
            if self.world.now > due_s + self._slack_s:
                self.fail(f"{name}, submitted by {node}, was to end at {due_s:.3f} s and is still open")
