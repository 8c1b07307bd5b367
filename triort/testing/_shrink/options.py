"""Simpler settings of jobs, batches and tasks, of latencies and of what the product does on purpose at times.

Each setting is taken back to its default: everywhere at once, then in as many places as can be.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from triort.testing._plan.edit_tree import simpler_latencies
from triort.testing._plan.plan import Batch, Compute, Job, Listen, Plan, Task
from triort.testing._plan.walk import all_tasks
from triort.testing._shrink.forest import map_tasks
from triort.testing._shrink.lists import left_out, minimized
from triort.testing._shrink.rounding import rounder
from triort.testing._shrink.search import Search

replace = msgspec.structs.replace

H = TypeVar("H", Job, Batch, Task)
Place = tuple[str, int]
"""A job or task by name, at -1; or the batch at a step of the task."""

SHORT_S = 1e-3
JOB_FIELDS = ("at_s", "priority", "retries", "timeout_s", "crash_limit", "at_most_once", "client")
BATCH_FIELDS = (
    "talk", "how", "catch", "cancel_after_s", "wait", "shared", "priority", "retries", "timeout_s", "crash_limit",
    "at_most_once",
)  # fmt: skip
TASK_FIELDS = ("stubborn", "poison", "fails", "function", "is_async")


def simpler_options(search: Search) -> None:
    """Take settings back to their defaults."""
    _less_buggify(search)
    fields = [(kind, name) for kind, names in ((Task, TASK_FIELDS), (Batch, BATCH_FIELDS), (Job, JOB_FIELDS))
              for name in names]  # fmt: skip
    for kind, name in fields:
        _reset(search, kind, name)


def _less_buggify(search: Search) -> None:
    base = search.plan
    points = list(base.buggify)
    minimized(points, lambda kept: search.attempt(replace(base, buggify={p: base.buggify[p] for p in kept})))


def _reset(search: Search, kind: type[Job | Batch | Task], field: str) -> None:
    """Take one field back to its default in all places but those that need it."""
    base = search.plan
    default = next(each.default for each in msgspec.structs.fields(kind) if each.name == field)
    places = [place for place, holder in _holders(base, kind) if getattr(holder, field) != default]

    def is_enough(kept: list[Place]) -> bool:
        return search.attempt(_with_field(base, set(left_out(places, kept)), kind, field, default))

    minimized(places, is_enough)


def _holders(plan: Plan, kind: type[Job | Batch | Task]) -> Iterable[tuple[Place, Job | Batch | Task]]:
    if kind is Job:
        return [((job.name, -1), job) for job in plan.jobs]
    if kind is Task:
        return [((task.name, -1), task) for task in all_tasks(plan)]
    return [
        ((task.name, position), step)
        for task in all_tasks(plan)
        for position, step in enumerate(task.steps)
        if isinstance(step, Batch)
    ]


def _with_field(plan: Plan, places: set[Place], kind: type[Job | Batch | Task], field: str, value: Any) -> Plan:
    def set_in(holder: H, place: Place) -> H:
        return replace(holder, **{field: value}) if place in places else holder

    def edit(task: Task) -> list[Task]:
        if kind is Task:
            return [set_in(task, (task.name, -1))]
        steps = [
            _heard(set_in(step, (task.name, position))) if isinstance(step, Batch) else step
            for position, step in enumerate(task.steps)
        ]
        return [replace(task, steps=steps)]

    if kind is Job:
        return replace(plan, jobs=[set_in(job, (job.name, -1)) for job in plan.jobs])
    return map_tasks(plan, edit)


def _heard(batch: Batch) -> Batch:
    """The same batch, whose children listen for no more than is said to them."""
    return replace(batch, children=[
        replace(child, steps=[step for step in child.steps
                              if not isinstance(step, Listen) or step.messages <= batch.talk])
        for child in batch.children
    ])  # fmt: skip


# -- figures ---------------------------------------------------------------------------------------------------------


def simpler_figures(search: Search) -> None:
    """Simple latencies; durations of a millisecond, or at least round ones."""
    search.attempt_each(list(simpler_latencies(search.plan)))
    for level, name in enumerate(search.plan.latency):
        if name != "memory" and len(search.plan.latency) > 1:
            latency = search.plan.latency
            search.attempt(replace(search.plan, latency=[*latency[:level], "memory", *latency[level + 1 :]]))
    _short_steps(search)
    _round_seconds(search)


def _computing(plan: Plan) -> list[tuple[Place, float]]:
    return [
        ((task.name, position), step.seconds)
        for task in all_tasks(plan)
        for position, step in enumerate(task.steps)
        if isinstance(step, Compute)
    ]


def _with_seconds(plan: Plan, seconds: dict[Place, float]) -> Plan:
    def edit(task: Task) -> list[Task]:
        steps = [
            Compute(seconds.get((task.name, position), step.seconds)) if isinstance(step, Compute) else step
            for position, step in enumerate(task.steps)
        ]
        return [replace(task, steps=steps)]

    return map_tasks(plan, edit)


def _short_steps(search: Search) -> None:
    base = search.plan
    places = [place for place, seconds in _computing(base) if seconds != SHORT_S]

    def is_enough(kept: list[Place]) -> bool:
        return search.attempt(_with_seconds(base, dict.fromkeys(left_out(places, kept), SHORT_S)))

    minimized(places, is_enough)


def _round_seconds(search: Search) -> None:
    """Fewer digits for what computes and for times out and cancels."""
    for place, seconds in _computing(search.plan):
        any(search.attempt(_with_seconds(search.plan, {place: rounded})) for rounded in rounder(seconds))
    for kind, field in ((Job, "at_s"), (Job, "timeout_s"), (Batch, "timeout_s"), (Batch, "cancel_after_s")):
        for place, holder in list(_holders(search.plan, kind)):
            figure = getattr(holder, field)
            any(search.attempt(_with_field(search.plan, {place}, kind, field, rounded))
                for rounded in rounder(figure or 0.0))  # fmt: skip
