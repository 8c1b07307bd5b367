"""Who gets which task: what functions cost, and the seed's rule with credit on top.

Idle employees first, evenly and at random, those with more idle workers first; then those with the fewest tasks. An
employee may be given more than it has idle workers only within its credit: about what keeps it busy over one round
trip, by the measured durations of the functions; a function never measured gets one task for each idle worker. Tasks
that were offered from below go beyond idle workers only to employees that are hungry (idle when the round began) or
poor (without work of their own to offer), or busy workers would pass their leaves around instead of running them. And
only if none of their function and depth has been seen to submit others: who runs one of these has work of its own soon.
While more waits here than there are workers, credit is larger, but not for these: it bridges a round trip also where
the machine is busy, and workers have a task of some milliseconds ahead. With little left, others would miss that task.

A manager's credit counts what its workers run, so for tasks longer than the round trip it is used up by these: each
worker that became idle had to wait until word of it had gone up, as far as to the server, and a task had come down. So
a manager whose workers all have tasks is given a *stock* besides, more of short tasks than of long ones: it lasts for
the geometric mean of a task's duration and `STOCK_US`. It is filled up when half of it is gone, so by batches. What
lies there while others are idle is asked back (see `demand`).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence

import attrs

from triort._core.attempts import Attempt, Result
from triort._core.backlog import Backlog, Source
from triort._core.employee import Employee
from triort._core.sharing import has_credit, queue_of, share_out
from triort._model.ids import Digest
from triort._model.limits import (
    CREDIT_PLENTY_US,
    CREDIT_TASKS_MAX,
    CREDIT_US,
    DURATION_WEIGHT,
    STOCK_US,
)
from triort._model.marks import buggify
from triort._model.messages import TaskSpec

Choose = Callable[[str, int], int]
"""``choose(name, n)`` draws from ``range(n)``; the stable name lets a simulation hold or shrink each draw."""

COSTS_MAX = 10_000


@attrs.define(eq=False)
class Placement:
    """Chooses an employee for each task and enters the task into that employee's books."""

    choose: Choose
    costs: dict[Digest, float] = attrs.Factory(dict)
    spent: list[Employee] = attrs.Factory(list)
    """Workers that have just been given their last task."""
    nesting: set[tuple[Digest, int]] = attrs.Factory(set)
    """Functions, and depths, of tasks that have submitted others that came here."""
    mean_us: float = 0.0
    """How long tasks of all functions hold their slots of late; 0 before the first."""

    def measure_all(self, attempts: list[Attempt], results: list[Result]) -> None:
        """These have ended; those that have not started tell nothing of how long their function takes."""
        if len(attempts) > 1 and len({attempt.spec.function for attempt in attempts}) == 1:
            total_us = sum([result.duration_us for result in results])
            self.measure(attempts[0].spec.function, total_us // len(results), len(results))
            return
        for attempt, result in zip(attempts, results, strict=True):
            if result.duration_us:
                self.measure(attempt.spec.function, result.duration_us)

    def measure(self, function: Digest, duration_us: int, count: int = 1) -> None:
        """So many tasks of this function have held their slots for so long, on average."""
        duration_us = max(duration_us, 1)
        weight = DURATION_WEIGHT if count == 1 else 1.0 - (1.0 - DURATION_WEIGHT) ** count
        self.mean_us += (weight if self.mean_us else 1.0) * (duration_us - self.mean_us)
        cost = self.costs.get(function)
        if cost is None:
            if len(self.costs) >= COSTS_MAX:
                self.costs.clear()
            self.costs[function] = float(duration_us)
        else:
            self.costs[function] = cost + weight * (duration_us - cost)

    def note_parent(self, function: Digest, depth: int) -> None:
        """A task of this function and depth has submitted one that has come here."""
        if len(self.nesting) >= COSTS_MAX:
            self.nesting.clear()
        self.nesting.add((function, depth))

    def take_spent(self) -> list[Employee]:
        """The workers that have been given their last task since the last call."""
        spent, self.spent = self.spent, []
        return spent

    def idle_order(self, employees: Sequence[Employee]) -> list[Employee]:
        """Idle employees, those with more idle workers first, equals in random order."""
        idle = [employee for employee in employees if employee.num_idle_workers > 0]
        if len(idle) > 1:
            start = self.choose("idle", len(idle))
            idle = idle[start:] + idle[:start]
            if not buggify("any idle employee first"):
                idle.sort(key=lambda employee: -employee.num_idle_workers)
        return idle

    def assign(self, tasks: Sequence[Attempt], employees: Sequence[Employee]) -> list[tuple[Attempt, Employee]]:
        """Pair tasks, in starting order, with employees: one for each idle worker."""
        pairs: list[tuple[Attempt, Employee]] = []
        rounds = [(employee.num_idle_workers, employee) for employee in self.idle_order(employees)]
        position = 0
        while rounds and position < len(tasks):
            for _, employee in rounds[: len(tasks) - position]:
                cost_us = int(self.costs.get(tasks[position].spec.function, CREDIT_US)) or 1
                self._give([tasks[position]], employee, cost_us)
                pairs.append((tasks[position], employee))
                position += 1
            rounds = [(left - 1, employee) for left, employee in rounds if left > 1]
        return pairs

    def fill(
        self, backlog: Backlog, hungry: Sequence[Employee], employees: Sequence[Employee], now: float,
        managers: Sequence[Employee] = (),
    ) -> None:  # fmt: skip
        """Give tasks beyond idle workers, within credit, to those with the least to do: any task to the hungry and the
        poor, and to all what did not come from below. The managers among the employees get a stock besides."""
        takers = [
            e for e in employees
            if has_credit(e.link, e.num_workers, CREDIT_PLENTY_US) and e.stuck_until <= now and not e.is_stalled
            and e.tasks_left is None
        ]  # fmt: skip
        poor = [employee for employee in takers if employee.is_poor or employee in hungry]
        if poor:
            self._fill(backlog, poor, CREDIT_US, is_held=False)
        if takers:
            self._fill(backlog, takers, CREDIT_US, is_held=True)
            if len(backlog) > len(employees):
                workers = sum(employee.num_workers for employee in employees)
                self._fill(backlog, takers, CREDIT_PLENTY_US, is_held=True, kept=workers)
        if managers and self.mean_us and backlog:
            self._stock_up(backlog, [e for e in managers if e.is_poor or e in hungry], is_held=False)
            if len(backlog) > backlog.count(Source.OFFERED):
                self._stock_up(backlog, managers, is_held=True)

    def _stock_up(self, backlog: Backlog, managers: Sequence[Employee], *, is_held: bool) -> None:
        """Give managers that run low of it a stock, of what did not come from below or of anything; those with the
        least come first."""
        fewest = [
            (spare / e.num_workers, i, e)
            for i, e in enumerate(managers)
            if 0 <= 2 * (spare := e.num_tasks - e.num_workers) < self.stock(e.num_workers) and not e.is_stalled
        ]
        heapq.heapify(fewest)
        while fewest and (spec := backlog.next_spec(is_held=is_held)) is not None:
            cost = self.costs.get(spec.function)
            if cost is None:
                return
            _, tie, manager = fewest[0]
            (attempt,) = backlog.pop_run(1, is_held=is_held)
            self._give([attempt], manager, int(cost) or 1)
            spare = manager.num_tasks - manager.num_workers
            if spare < self.stock(manager.num_workers):
                heapq.heapreplace(fewest, (spare / manager.num_workers, tie, manager))
            else:
                heapq.heappop(fewest)

    def stock(self, num_workers: int) -> int:
        """How many tasks beyond one for each worker a manager with so many workers has when its stock is full."""
        return min(int(num_workers * math.sqrt(STOCK_US / self.mean_us)), CREDIT_TASKS_MAX)

    def _fill(
        self, backlog: Backlog, employees: Sequence[Employee], credit_us: int, *, is_held: bool, kept: int = 0
    ) -> None:
        """Give them tasks within this credit, as long as there are more than are to be kept."""
        while len(backlog) > kept and (spec := backlog.next_spec(is_held=is_held)) is not None:
            cost = self.costs.get(spec.function)
            if cost is None or (not is_held and self._brings_work(spec)):
                return
            cost_us = int(cost) or 1
            open_ones = [e for e in employees if has_credit(e.link, e.num_workers, credit_us)]
            if not open_ones:
                return
            queues = [queue_of(each.link, each.num_workers, cost_us, credit_us) for each in open_ones]
            run = backlog.pop_run(min(sum(queue.room for queue in queues), len(backlog) - kept), is_held=is_held)
            start = 0
            for employee, share in zip(open_ones, share_out(queues, len(run), cost_us), strict=True):
                if share:  # else its link would be touched, and what waits there sent before its time
                    self._give(run[start : start + share], employee, cost_us)
                start += share

    def _brings_work(self, spec: TaskSpec) -> bool:
        """Whether tasks of this kind submit others, as far as has been seen."""
        return (spec.function, spec.depth) in self.nesting and not buggify("what brings work is queued, too")

    def _give(self, attempts: list[Attempt], employee: Employee, cost_us: int) -> None:
        for attempt in attempts:
            attempt.cost_us = cost_us
        employee.link.place(*attempts)
        employee.num_idle_workers = max(employee.num_idle_workers - len(attempts), 0)
        if employee.tasks_left is not None:
            employee.tasks_left -= len(attempts)
            if not employee.tasks_left:
                self.spent.append(employee)
