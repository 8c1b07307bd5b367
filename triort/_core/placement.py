"""Who gets which task: the books about employees, what functions cost, and the seed's rule with credit on top.

Idle employees first, evenly and at random, those with more idle workers first; then those with the fewest tasks. An
employee may be given more than it has idle workers only within its credit: about what keeps it busy over one round
trip, by the measured durations of the functions; a function never measured gets one task for each idle worker. Tasks
that a worker has offered from below go beyond idle workers only to employees that are hungry (idle when the round
began), or busy workers would pass their leaves around instead of running them.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

import attrs

from triort._core.attempts import Attempt
from triort._core.links import Link
from triort._model.ids import Digest
from triort._model.limits import CREDIT_TASKS_MAX, CREDIT_US, DURATION_WEIGHT, OFFERS_MIN

Choose = Callable[[str, int], int]
"""``choose(name, n)`` draws from ``range(n)``; the stable name lets a simulation hold or shrink each draw."""

COSTS_MAX = 10_000
OFFERS_MAX = 256


@attrs.define(eq=False)
class Employee:
    """A manager or worker below: its link, its share of the ids, and what it is known to be doing."""

    link: Link
    name: str
    kind: str
    lower_id: int
    upper_id: int
    pid: int = 0
    num_workers: int = 0
    num_idle_workers: int = 0
    num_tasks: int = 0
    backlog: int = 0
    wanted: int = 0
    offer_window: int = OFFERS_MIN
    restarts: int = 0
    running: str = ""

    @property
    def conn(self) -> object:
        """The opaque link value."""
        return self.link.conn


@attrs.define(eq=False)
class Placement:
    """Chooses an employee for each task and enters the task into that employee's books."""

    choose: Choose
    costs: dict[Digest, float] = attrs.Factory(dict)

    def measure(self, function: Digest, duration_us: int) -> None:
        """A task of this function has held its slot for so long."""
        cost = self.costs.get(function)
        if cost is None:
            if len(self.costs) >= COSTS_MAX:
                self.costs.clear()
            self.costs[function] = float(max(duration_us, 1))
        else:
            self.costs[function] = cost + DURATION_WEIGHT * (max(duration_us, 1) - cost)

    def idle_order(self, employees: Sequence[Employee]) -> list[Employee]:
        """Idle employees, those with more idle workers first, equals in random order."""
        idle = [employee for employee in employees if employee.num_idle_workers > 0]
        if len(idle) > 1:
            start = self.choose("idle", len(idle))
            idle = idle[start:] + idle[:start]
            idle.sort(key=lambda employee: -employee.num_idle_workers)
        return idle

    def assign(self, tasks: Sequence[Attempt], employees: Sequence[Employee]) -> list[tuple[Attempt, Employee]]:
        """Pair tasks, in starting order, with employees; stops at the first task that nobody has credit for."""
        pairs: list[tuple[Attempt, Employee]] = []
        hungry = self.idle_order(employees)
        rounds = [(employee.num_idle_workers, employee) for employee in hungry]
        position = 0
        while rounds and position < len(tasks):
            for _, employee in rounds[: len(tasks) - position]:
                self._give(tasks[position], employee, pairs)
                position += 1
            rounds = [(left - 1, employee) for left, employee in rounds if left > 1]
        if position < len(tasks):
            self._fill(tasks[position:], hungry, employees, pairs)
        return pairs

    def _fill(
        self,
        tasks: Sequence[Attempt],
        hungry: list[Employee],
        employees: Sequence[Employee],
        pairs: list[tuple[Attempt, Employee]],
    ) -> None:
        offered = tasks[0].origin is not None and tasks[0].origin.below
        takers = hungry if offered else employees
        fewest = [self._load(e, i) for i, e in enumerate(takers) if e.link.queued_us < _credit(e)]
        heapq.heapify(fewest)
        for attempt in tasks:
            cost = self.costs.get(attempt.spec.function)
            if cost is None or not fewest:
                return
            _, tie, employee = fewest[0]
            self._give(attempt, employee, pairs)
            if employee.link.queued_us < _credit(employee) and employee.link.queued < CREDIT_TASKS_MAX:
                heapq.heapreplace(fewest, self._load(employee, tie))
            else:
                heapq.heappop(fewest)

    def _give(self, attempt: Attempt, employee: Employee, pairs: list[tuple[Attempt, Employee]]) -> None:
        attempt.cost_us = int(self.costs.get(attempt.spec.function, CREDIT_US)) or 1
        employee.link.place(attempt)
        employee.num_tasks += 1
        if employee.num_idle_workers:
            employee.num_idle_workers -= 1
        pairs.append((attempt, employee))

    def _load(self, employee: Employee, tie: int) -> tuple[float, int, Employee]:
        return employee.link.queued_us / max(employee.num_workers, 1), tie, employee


def _credit(employee: Employee) -> int:
    return CREDIT_US * employee.num_workers
