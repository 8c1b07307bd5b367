"""Ways through the tasks of a plan."""

from __future__ import annotations

import math
from collections.abc import Iterator

from triort.testing._plan.plan import Batch, Compute, Plan, Task


def batches_of(task: Task) -> Iterator[Batch]:
    """The batches of a task, in order."""
    return (step for step in task.steps if isinstance(step, Batch))


def children_of(task: Task) -> Iterator[Task]:
    """The children of a task, in order."""
    return (child for batch in batches_of(task) for child in batch.children)


def all_tasks(plan: Plan) -> Iterator[Task]:
    """All tasks of a plan, each before its children."""
    for job in plan.jobs:
        for item in job.items:
            yield from subtree_of(item)


def subtree_of(task: Task) -> Iterator[Task]:
    """A task and all below it, each before its children."""
    todo = [task]
    while todo:
        each = todo.pop()
        yield each
        todo += reversed(list(children_of(each)))


def parents_of(plan: Plan) -> dict[str, str]:
    """The parent of each task by name; that of an item is its job."""
    parents = {item.name: job.name for job in plan.jobs for item in job.items}
    for task in all_tasks(plan):
        for child in children_of(task):
            parents[child.name] = task.name
    return parents


def seconds_of(task: Task) -> float:
    """How long the task itself computes in one try."""
    return math.fsum(step.seconds for step in task.steps if isinstance(step, Compute))
