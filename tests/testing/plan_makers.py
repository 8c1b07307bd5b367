"""Short ways to write tasks and plans down, for the tests of plans and checkers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from triort.testing._plan.plan import PLAN_VERSION, Batch, Compute, Fault, FaultKind, Job, Listen, Plan, Say, Task

Step = Compute | Listen | Say | Batch


def task(*steps: Step, **options: Any) -> Task:
    """A task without a name; `plan` names it."""
    return Task("", list(steps), **options)


def batch(*children: Task, **options: Any) -> Batch:
    return Batch(list(children), **options)


def named(each: Task, name: str) -> Task:
    """The task and all below it, named by their places."""
    steps: list[Step] = []
    for number, step in enumerate(each.steps):
        if isinstance(step, Batch):
            children = [named(child, f"{name}.{number}.{index}") for index, child in enumerate(step.children)]
            step = msgspec.structs.replace(step, children=children)
        steps.append(step)
    return msgspec.structs.replace(each, name=name, steps=steps)


def job(*items: Task, name: str = "j0", **options: Any) -> Job:
    return Job(name, [named(item, f"{name}.{index}") for index, item in enumerate(items)], **options)


def plan(*jobs: Job, faults: Sequence[Fault] = (), tree: Sequence[int] = (2, 2), **options: Any) -> Plan:
    return Plan(PLAN_VERSION, options.pop("seed", 1), list(tree), list(jobs), list(faults), **options)


def fault(kind: str, target: str, at_s: float = 0.0, **options: Any) -> Fault:
    return Fault(at_s, FaultKind(kind), target, **options)
