"""Fewer jobs and tasks: subtrees from the top down, tasks replaced by their children, steps left out."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from triort.testing._plan.edit import without_job, without_tasks
from triort.testing._plan.plan import Batch, Plan, Task
from triort.testing._plan.walk import all_tasks, children_of
from triort.testing._shrink.lists import left_out, minimized
from triort.testing._shrink.search import Search

replace = msgspec.structs.replace


def fewer_jobs(search: Search) -> None:
    """Leave out jobs."""
    base = search.plan
    names = [job.name for job in base.jobs]

    def is_enough(kept: list[str]) -> bool:
        plan = base
        for name in left_out(names, kept):
            plan = without_job(plan, name)
        return search.attempt(plan)

    minimized(names, is_enough)


def fewer_tasks(search: Search) -> None:
    """Leave out subtrees, level by level from above; then tasks whose children can stand in their place."""
    depth = 0
    while names := _names_at(search.plan, depth):
        _fewer_of(search, names)
        depth += 1
    _hoist(search)


def _fewer_of(search: Search, names: list[str]) -> None:
    base = search.plan
    minimized(names, lambda kept: search.attempt(without_tasks(base, left_out(names, kept))))


def _names_at(plan: Plan, depth: int) -> list[str]:
    tasks = [item for job in plan.jobs for item in job.items]
    for _ in range(depth):
        tasks = [child for task in tasks for child in children_of(task)]
    return [task.name for task in tasks]


def _hoist(search: Search) -> None:
    """Put children in the place of their parent: one of them, or all."""
    skipped: set[str] = set()
    while True:
        parents = [task for task in all_tasks(search.plan) if task.name not in skipped and any(children_of(task))]
        if not parents:
            return
        task = parents[0]
        children = list(children_of(task))
        stands_in = [[child] for child in children] + ([children] if len(children) > 1 else [])
        if not any(search.attempt(_with_instead(search.plan, task.name, tasks)) for tasks in stands_in):
            skipped.add(task.name)


def _with_instead(plan: Plan, name: str, tasks: list[Task]) -> Plan:
    return map_tasks(plan, lambda task: tasks if task.name == name else [task])


def fewer_steps(search: Search) -> None:
    """Leave out steps other than batches."""
    base = search.plan
    places = [
        (task.name, position)
        for task in all_tasks(base)
        for position, step in enumerate(task.steps)
        if not isinstance(step, Batch)
    ]

    def is_enough(kept: list[tuple[str, int]]) -> bool:
        gone = set(left_out(places, kept))

        def edit(task: Task) -> list[Task]:
            steps = [step for position, step in enumerate(task.steps) if (task.name, position) not in gone]
            return [replace(task, steps=steps)]

        return search.attempt(map_tasks(base, edit))

    minimized(places, is_enough)


def map_tasks(plan: Plan, edit: Callable[[Task], list[Task]]) -> Plan:
    """The plan with each task replaced by what ``edit`` makes of it; children come first."""

    def all_of(tasks: list[Task]) -> list[Task]:
        return [made for task in tasks for made in edit(deep(task))]

    def deep(task: Task) -> Task:
        steps = [
            replace(step, children=all_of(step.children)) if isinstance(step, Batch) else step for step in task.steps
        ]
        return replace(task, steps=steps)

    return replace(plan, jobs=[replace(job, items=all_of(job.items)) for job in plan.jobs])
