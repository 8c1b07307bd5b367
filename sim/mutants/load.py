"""The plans that planted bugs are looked for with: the same ones for all, in an order that finds most of them soon.

Kinds take turns. One kind of trouble hides another: where clocks jump or frames are held back, nobody can tell what is
late. So one kind has no faults at all, one those that leave time as it is, one faults of all kinds; one has sync tasks
that take long, and one items that are cancelled or run out of time long before they would end.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from sim.failures import client_gone, links_cut, managers_killed, parted, server_killed
from sim.workloads import costly
from triort._model.limits import GRACE_S
from triort.testing._checkers.books import CLOCKS, HOLDS
from triort.testing._plan.draws import Draws
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import Batch, Compute, Job, Plan, Task
from triort.testing._plan.swarm import Faults

POINTS = ("any idle employee first", "slow replacements", "what brings work is queued, too")
"""Rare ways of the product that cost few more messages."""
TIMELY = Faults.swarm().without(*sorted(kind.value for kind in CLOCKS | HOLDS if kind.value in Faults.swarm().names))
ENDED_S = 1.6 * GRACE_S
FAILS_AFTER_S = 0.02
FIRST_OF_FAILURES = 13
PATIENT_S = 45.0
LONG_S = 0.3
LONG_SHARE = 0.1

FIRST = 8
FAILURES = (863, 29, 13, 111, 31, 14, 61, 45, 63, 30, 93, 77, 95, 46, 125, 109)
"""Plans of failures, of each kind some."""
RARE = (
    386,
    146,
    151,
    136,
    131,
    121,
    106,
    101,
    78,
    57,
    47,
    45,
    41,
    39,
    38,
    34,
    27,
    24,
    21,
    18,
    17,
    16,
    15,
    2024,
    763,
    936,
    407,
)
"""Plans that have found what few others find."""
DEADLY = (1_000, 1_001, 1_002)
"""Plans in which a job costs more workers than it may; they are long."""


def numbers(most: int) -> list[int]:
    """The numbers of so many plans, in the order in which they are run."""
    early = [*range(FIRST), *FAILURES, *DEADLY, *RARE]
    return list(dict.fromkeys([*early, *range(most + len(early))]))[:most]


@lru_cache(maxsize=1_000)
def plan_of(number: int) -> Plan:
    """The plan of this number."""
    if number in DEADLY:
        return costly(number, [2])
    if number % 16 >= FIRST_OF_FAILURES and number not in RARE:
        return of_failures(number)
    match number % 8:
        case 0 | 4:
            return generate(number, faults=Faults.none())
        case 1 | 5:
            return generate(number, faults=TIMELY, buggify=POINTS)
        case 2 | 6:
            return generate(number, buggify=POINTS)
        case 3:
            return with_ends(generate(number, faults=Faults.none()))
        case _:
            return with_long_tasks(generate(number, faults=Faults.none()))


def of_failures(number: int) -> Plan:
    """A plan for what answers failures."""
    which = number // 16
    match number % 16:
        case 13:
            return links_cut(which, 20) if which % 2 else parted(which, 0.01, 50.0)
        case 14:
            return server_killed(which, 1 + which % 4)
        case _ if which % 4 == 2:
            return client_gone(which)
        case _ if which % 2:
            return managers_killed(which, *((4, 0.05) if which % 4 == 1 else (1, 60.0)))
        case _:
            return with_patience(generate(number, faults=Faults.none()))


def with_ends(plan: Plan) -> Plan:
    """The same plan, and two jobs that are ended in time: one by an item that fails, one by its deadline."""
    first, second = f"j{len(plan.jobs)}", f"j{len(plan.jobs) + 1}"
    cancelled = [
        Task(f"{first}.0", [Compute(FAILS_AFTER_S)], fails=-1),
        Task(f"{first}.1", [Compute(ENDED_S)], is_async=False, stubborn=True),
        Task(f"{first}.2", [Compute(ENDED_S)], stubborn=True),
        Task(f"{first}.3", [Compute(ENDED_S)], is_async=False),
        Task(f"{first}.4", [Compute(ENDED_S)]),
    ]
    late = [Task(f"{second}.0", [Compute(ENDED_S)], is_async=False), Task(f"{second}.1", [Compute(ENDED_S)])]
    ended = [Job(first, cancelled), Job(second, late, timeout_s=FAILS_AFTER_S)]
    return msgspec.structs.replace(plan, jobs=[*plan.jobs, *ended])


def with_patience(plan: Plan) -> Plan:
    """The same plan, with a job that takes longer than any link is waited for."""
    name = f"j{len(plan.jobs)}"
    job = Job(name, [Task(f"{name}.{index}", [Compute(PATIENT_S)], is_async=index < 2) for index in range(4)])
    return msgspec.structs.replace(plan, jobs=[*plan.jobs, job], heal_s=plan.heal_s + 2 * PATIENT_S)


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
