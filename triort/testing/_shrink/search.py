"""The search for a smaller plan: it tries one after the other, takes what still fails, and ends with its budget.

A smaller plan counts only if it fails by the same check, and only if it is fair (see `fairness`); else a search for one
bug would end at a plan that no cluster can get through. No plan is run twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b

import attrs
import msgspec

from triort.testing._events import Violation
from triort.testing._plan.names import is_node
from triort.testing._plan.plan import Plan
from triort.testing._plan.sizes import size
from triort.testing._shrink.fairness import Fairness

Fails = Callable[[Plan], Violation | None]
Recorded = Callable[[Plan], Mapping[int, Sequence[int]]]
Note = Callable[[str], object]


class OutOfBudgetError(Exception):
    """No more runs are allowed."""


@attrs.frozen
class Shrunk:
    """The smallest plan found, how it fails, and how many plans were run to find it."""

    plan: Plan
    violation: Violation
    runs: int
    is_done: bool
    """False: the budget ended before all was tried."""


@attrs.define(eq=False)
class Search:
    """The smallest plan so far."""

    plan: Plan
    violation: Violation
    fails: Fails
    note: Note
    deadline: float
    """By `time.monotonic`."""
    runs_max: int
    runs: int = 0
    _fairness: Fairness = attrs.field(init=False)
    _seen: set[bytes] = attrs.field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self._fairness = Fairness.of(self.plan)

    def attempt(self, plan: Plan) -> bool:
        """Take this plan if it fails in the same way; raises `OutOfBudgetError`."""
        fair = self._fairness.made_fair(plan) if plan != self.plan else None
        if fair is None or not self._is_new(fair):
            return False
        if self.runs >= self.runs_max or time.monotonic() >= self.deadline:
            raise OutOfBudgetError
        self.runs += 1
        violation = self.fails(fair)
        if violation is None or not is_same_check(violation.check, self.violation.check):
            return False
        self.plan, self.violation = fair, violation
        self.note(f"{_counted(self.runs, 'run')}: {show_size(fair)}")
        return True

    def attempt_each(self, plans: Sequence[Plan]) -> bool:
        """Take the first of these plans that fails in the same way."""
        return any(self.attempt(plan) for plan in plans)

    def _is_new(self, plan: Plan) -> bool:
        key = blake2b(msgspec.json.encode(plan), digest_size=16).digest()
        if plan == self.plan or key in self._seen:
            return False
        self._seen.add(key)
        return True


def is_same_check(one: str, other: str) -> bool:
    """Whether two checks are the same; a crash of one node is the same as that of another."""
    return _without_node(one) == _without_node(other)


def _without_node(check: str) -> str:
    words, _, node = check.rpartition(" ")
    return words if is_node(node) else check


def show_size(plan: Plan) -> str:
    """How large a plan is, in a few words."""
    found = size(plan)
    words = f"{_counted(found.faults, 'fault')}, {_counted(found.tasks, 'task')}, {_counted(found.nodes, 'node')}"
    return f"{words}, {_counted(found.script, 'batch', 'batches')} in another order" if found.script else words


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
