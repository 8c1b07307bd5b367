"""The plans that planted bugs are looked for with: the same ones for all, in an order that finds most of them soon.

Kinds take turns. One kind of trouble hides another: where clocks jump or frames are held back, nobody can tell what is
late. So one kind has no faults at all, one those that leave time as it is, one faults of all kinds; one has sync tasks
that take long, and one such that ignore their cancels.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from triort.testing._checkers.books import CLOCKS, HOLDS
from triort.testing._plan.draws import Draws
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import Batch, Compute, Plan, Task
from triort.testing._plan.swarm import Faults, Features

POINTS = ("any idle employee first", "slow replacements")
"""Rare ways of the product that cost no more messages."""
TIMELY = Faults.swarm().without(*sorted(kind.value for kind in CLOCKS | HOLDS if kind.value in Faults.swarm().names))
STUBBORN = Features.only("items", "stubborn")
LONG_S = 0.3
LONG_SHARE = 0.1


@lru_cache(maxsize=1_000)
def plan_of(number: int) -> Plan:
    """The plan of this number."""
    match number % 8:
        case 0 | 4:
            return generate(number, faults=Faults.none())
        case 1 | 5:
            return generate(number, faults=TIMELY, buggify=POINTS)
        case 2 | 6:
            return generate(number, buggify=POINTS)
        case 3:
            stubborn = generate(number, faults=Faults.only("cancel_job"), features=STUBBORN)
            return with_long_tasks(stubborn)
        case _:
            return with_long_tasks(generate(number, faults=Faults.none()))


def with_long_tasks(plan: Plan) -> Plan:
    """The same plan of sync tasks only, where some compute for long."""
    draws = Draws(plan.seed)
    jobs = [msgspec.structs.replace(job, items=[_longer(item, draws) for item in job.items]) for job in plan.jobs]
    return msgspec.structs.replace(plan, jobs=jobs)


def _longer(task: Task, draws: Draws) -> Task:
    steps = []
    is_long = draws.chance(LONG_SHARE, task.name, "long")
    for step in task.steps:
        if isinstance(step, Batch):
            step = msgspec.structs.replace(step, children=[_longer(child, draws) for child in step.children])
        elif isinstance(step, Compute) and is_long:
            step = Compute(LONG_S)
        steps.append(step)
    return msgspec.structs.replace(task, steps=steps, is_async=False)
