"""How long a load takes, roughly: so that faults come while there is something for them to hit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from triort.testing._plan.plan import LATENCIES, Batch, Compute, Job, Task

SECONDS_COUNTED = 0.5
"""Of each step at most: a task that outlasts its grace time is one among many, and the others are to be hit."""
TAIL_MEAN_S = 6e-3
OVERHEAD_S = 1e-4


class Extent(NamedTuple):
    """How much a task and all below it are."""

    work_s: float
    """What all of them compute."""
    longest_s: float
    """What the task and the longest of each of its batches compute, one after the other."""
    depth: int
    """How many tasks lie one below the other, this one included."""


def span_of(jobs: Sequence[Job], tree: Sequence[int], latency: Sequence[str]) -> float:
    """How long these jobs may take if all are submitted at once: what there is to compute, shared by all workers, or
    the longest way down one task tree; and the messages on that way."""
    extents = [extent_of(item) for job in jobs for item in job.items]
    work_s = math.fsum(extent.work_s for extent in extents)
    longest_s = max((extent.longest_s for extent in extents), default=0.0)
    hops = max((extent.depth for extent in extents), default=0)
    levels = [mean_latency(latency, level) for level in range(len(tree) + 1)]
    return max(work_s / math.prod(tree), longest_s) + 2 * hops * math.fsum(levels) + OVERHEAD_S


def extent_of(task: Task) -> Extent:
    """How much there is to do for a task and all below it."""
    work_s = longest_s = 0.0
    depth = 0
    for step in task.steps:
        if isinstance(step, Compute):
            seconds = min(step.seconds, SECONDS_COUNTED)
            work_s += seconds
            longest_s += seconds
        elif isinstance(step, Batch):
            longest_child_s = 0.0
            for child in step.children:
                below = extent_of(child)
                work_s += below.work_s
                longest_child_s = max(longest_child_s, below.longest_s)
                depth = max(depth, below.depth)
            longest_s += longest_child_s
    return Extent(work_s, longest_s, depth + 1)


def mean_latency(latency: Sequence[str], level: int) -> float:
    """The mean of a level of links, 0 being those of clients."""
    if not latency:
        return 0.0
    name = latency[min(level, len(latency) - 1)]
    return TAIL_MEAN_S if name == "tail" else (LATENCIES[name][0] + LATENCIES[name][1]) / 2
