"""The loads of the benchmark of placement, what bounds their makespans, and what a simple list schedule makes of them.

* *equal*: a map whose items take 10 ms each.
* *heavy-tailed*: a map whose items take 10 ms on average, by a Pareto distribution with exponent 1.2 that is cut off at
  ten times the mean: the shortest takes 2.8 ms, half of them less than 5 ms, one in seventy 100 ms. With 200 items for
  each worker the longest is a twentieth of the bound; whoever knows no durations beforehand starts some of these last.
* *one long*: the same without a cut, 20 for each worker: the longest item alone is longer than all work divided.
* *nested*: a tree of one root, three levels deep. Parents compute for 1 ms and wait; leaves take 5 to 15 ms, evenly.

Tasks are sync, so they hold the CPU of their worker.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from random import Random

import attrs

from triort.testing._plan.plan import Batch, Compute, Task
from triort.testing._plan.walk import children_of, seconds_of

MEAN_S = 0.01
PARENT_S = 0.001
EXPONENT = 1.2
CUT = 10.0
"""The longest of a heavy-tailed load, in means."""
SEED = 5
MANY = 5_000
"""From so many workers on there are fewer tasks for each, or a run would take too long."""


@attrs.frozen
class Load:
    """Root tasks, and what is known of them."""

    items: list[Task]
    seconds: dict[str, float]
    """How long each task computes."""
    path_s: float
    """The longest chain of tasks below each other."""

    @property
    def work_s(self) -> float:
        """All that is to be computed."""
        return sum(self.seconds.values())

    def bound_s(self, num_workers: int) -> float:
        """No schedule is shorter: all work evenly divided, or the longest path."""
        return max(self.work_s / num_workers, self.path_s)


def equal(num_workers: int) -> list[Task]:
    return flat([MEAN_S] * (num_workers * few(num_workers)))


def heavy_tailed(num_workers: int) -> list[Task]:
    return flat(pareto(num_workers * (200 if num_workers < MANY else 20), CUT))


def one_long(num_workers: int) -> list[Task]:
    return flat(pareto(num_workers * few(num_workers), None))


def nested(num_workers: int) -> list[Task]:
    rng = Random(SEED)
    fan = round((num_workers * few(num_workers)) ** (1 / 3))
    return [tree("j0.0", 3, fan, lambda: rng.uniform(0.5 * MEAN_S, 1.5 * MEAN_S))]


def few(num_workers: int) -> int:
    """How many tasks there are for each worker."""
    return 20 if num_workers < MANY else 10


def flat(durations: Sequence[float]) -> list[Task]:
    """A map of a client."""
    return [Task(f"j0.{i}", [Compute(seconds)], is_async=False) for i, seconds in enumerate(durations)]


def tree(name: str, depth: int, fan: int, duration: Callable[[], float]) -> Task:
    if not depth:
        return Task(name, [Compute(round(duration(), 7))], is_async=False)
    children = [tree(f"{name}.1.{i}", depth - 1, fan, duration) for i in range(fan)]
    return Task(name, [Compute(PARENT_S), Batch(children)], is_async=False)


def pareto(count: int, cut: float | None) -> list[float]:
    """So many durations whose mean is `MEAN_S`; ``cut``: the longest, in means."""
    rng = Random(SEED)
    drawn = [rng.paretovariate(EXPONENT) for _ in range(count)]
    longest = max(drawn)
    if cut is not None:
        for _ in range(100):  # the mean depends on the cut, and the cut on the mean
            longest = cut * sum(min(each, longest) for each in drawn) / count
    cut_off = [min(each, longest) for each in drawn]
    unit_s = MEAN_S * count / sum(cut_off)
    return [round(each * unit_s, 7) for each in cut_off]


LOADS: dict[str, Callable[[int], list[Task]]] = {
    "equal": equal,
    "heavy-tailed": heavy_tailed,
    "one long": one_long,
    "nested": nested,
}


def make_load(name: str, num_workers: int) -> Load:
    """A load by name, for so many workers."""
    items = LOADS[name](num_workers)
    seconds: dict[str, float] = {}
    return Load(items, seconds, max(_measure(item, seconds) for item in items))


def _measure(task: Task, seconds: dict[str, float]) -> float:
    """The longest path from a task; notes how long each takes."""
    seconds[task.name] = seconds_of(task)
    return seconds[task.name] + max((_measure(child, seconds) for child in children_of(task)), default=0.0)


def list_schedule_s(load: Load, num_workers: int) -> float:
    """The makespan if a worker that is free took the deepest and oldest task at once, without any message."""
    ready = [(0, number, task) for number, task in enumerate(load.items)]
    running: list[tuple[float, int, int, Task]] = []
    now, serial = 0.0, len(ready)
    while ready or running:
        while ready and len(running) < num_workers:
            depth, number, task = heapq.heappop(ready)
            heapq.heappush(running, (now + load.seconds[task.name], number, depth, task))
        now, _, depth, task = heapq.heappop(running)
        for child in children_of(task):
            heapq.heappush(ready, (depth - 1, serial, child))
            serial += 1
    return now
