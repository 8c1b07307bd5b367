"""How large a plan is: what shrinking makes smaller."""

from __future__ import annotations

import functools
from typing import NamedTuple

import msgspec

from triort.testing._plan.check import num_nodes
from triort.testing._plan.plan import Batch, Compute, Job, Plan, Task
from triort.testing._plan.walk import all_tasks, batches_of


class Size(NamedTuple):
    """How large a plan is, in the order in which shrinking makes it smaller."""

    faults: int
    tasks: int
    nodes: int
    jobs: int
    steps: int
    options: int
    """Settings of tasks, batches and jobs that are not the default."""
    seconds: int
    """Different durations."""
    latencies: int
    """Classes other than memory."""
    script: int


def size(plan: Plan) -> Size:
    """How large the plan is."""
    tasks = list(all_tasks(plan))
    steps = [step for task in tasks for step in task.steps]
    batches = [batch for task in tasks for batch in batches_of(task)]
    holders: list[Task | Batch | Job] = [*tasks, *batches, *plan.jobs]
    return Size(
        len(plan.faults),
        len(tasks),
        num_nodes(plan.tree),
        len(plan.jobs),
        len(steps),
        sum(len(_set_fields(each)) for each in holders),
        len({step.seconds for step in steps if isinstance(step, Compute)}),
        sum(1 for name in plan.latency if name != "memory"),
        len(plan.script),
    )


def _set_fields(value: Task | Batch | Job) -> list[str]:
    return [name for name, default in _defaults(type(value)) if getattr(value, name) != default]


@functools.cache
def _defaults(kind: type[msgspec.Struct]) -> list[tuple[str, object]]:
    fields = msgspec.structs.fields(kind)
    return [(field.name, field.default) for field in fields if field.default is not msgspec.NODEFAULT]
