"""How a try of a task ends, once its steps are through: one rule for all that run plans.

A *try* is one start of the task's function, anywhere in the cluster. Tries are counted by the task's name over the
whole run; whether it starts again because it raised, because its worker died, or because its parent runs again, makes
no difference. The first ``poison`` tries kill their worker, the next ``fails`` raise, and those after them return. A
try that ends before its end (a batch raises and nobody catches it; it is cancelled; its worker dies) counts as well.
"""

from __future__ import annotations

import enum
from collections import Counter

from triort.testing._plan.plan import Task


class TryEnd(enum.Enum):
    """What the function does at its end."""

    RETURN = "return"
    RAISE = "raise"
    KILL = "kill"
    """Takes its worker with it."""


class Tries:
    """Counts the tries of all tasks of one run."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def begin(self, task: Task) -> TryEnd:
        """The task starts: how this try ends if nothing comes between."""
        self._counts[task.name] += 1
        return end_of_try(task, self._counts[task.name])


def end_of_try(task: Task, number: int) -> TryEnd:
    """How try ``number``, from 1, ends."""
    if task.poison < 0 or number <= task.poison:
        return TryEnd.KILL
    if task.fails < 0 or number <= task.poison + task.fails:
        return TryEnd.RAISE
    return TryEnd.RETURN
