"""How long a load takes, roughly: so that faults come while there is something for them to hit."""

from __future__ import annotations

import math
from collections.abc import Sequence

from triort.testing._plan.plan import LATENCIES, Compute, Job, Task
from triort.testing._plan.walk import batches_of, children_of, subtree_of

SECONDS_COUNTED = 0.5
"""Of each step at most: a task that outlasts its grace time is one among many, and the others are to be hit."""
TAIL_MEAN_S = 6e-3
OVERHEAD_S = 1e-4


def span_of(jobs: Sequence[Job], tree: Sequence[int], latency: Sequence[str]) -> float:
    """How long these jobs may take if all are submitted at once: what there is to compute, shared by all workers, or
    the longest way down one task tree; and the messages on that way."""
    items = [item for job in jobs for item in job.items]
    work_s = sum(_own_seconds(task) for item in items for task in subtree_of(item))
    longest_s = max((seconds_down(item) for item in items), default=0.0)
    levels = [mean_latency(latency, level) for level in range(len(tree) + 1)]
    hops = max((depth_of(item) for item in items), default=0)
    return max(work_s / math.prod(tree), longest_s) + 2 * hops * sum(levels) + OVERHEAD_S


def seconds_down(task: Task) -> float:
    """How long the task and the longest of each of its batches compute, one after the other."""
    below = sum(max(seconds_down(child) for child in batch.children) for batch in batches_of(task))
    return _own_seconds(task) + below


def depth_of(task: Task) -> int:
    """How many tasks lie one below the other, this one included."""
    return 1 + max((depth_of(child) for child in children_of(task)), default=0)


def mean_latency(latency: Sequence[str], level: int) -> float:
    """The mean of a level of links, 0 being those of clients."""
    if not latency:
        return 0.0
    name = latency[min(level, len(latency) - 1)]
    return TAIL_MEAN_S if name == "tail" else sum(LATENCIES[name]) / 2


def _own_seconds(task: Task) -> float:
    return sum(min(step.seconds, SECONDS_COUNTED) for step in task.steps if isinstance(step, Compute))
