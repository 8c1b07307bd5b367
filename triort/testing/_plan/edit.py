"""Plans with fewer faults, jobs and tasks, and with simpler ones.

Names stay as they are, so all that is drawn by them stays, too. What an edit leaves without a meaning goes with it:
a batch without children, a job without items, a fault whose target is not in the tree any more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import msgspec

from triort.testing._plan.names import is_client, is_job
from triort.testing._plan.plan import Batch, Compute, Fault, Job, Listen, Plan, Say, Task
from triort.testing._plan.walk import batches_of

replace = msgspec.structs.replace


# -- faults and jobs -------------------------------------------------------------------------------------------------


def without_fault(plan: Plan, position: int) -> Plan:
    """The plan without the fault at this position."""
    return without_faults(plan, [position])


def without_faults(plan: Plan, positions: Collection[int]) -> Plan:
    """The plan without the faults at these positions."""
    return replace(plan, faults=[fault for number, fault in enumerate(plan.faults) if number not in positions])


def without_job(plan: Plan, name: str) -> Plan:
    """The plan without this job, and without faults that hit only it or its client."""
    return _with_jobs(plan, [job for job in plan.jobs if job.name != name])


def _with_jobs(plan: Plan, jobs: list[Job]) -> Plan:
    names = {job.name for job in jobs}
    clients = {job.client for job in jobs}

    def is_left(fault: Fault) -> bool:
        target = fault.target
        return (not is_job(target) or target in names) and (not is_client(target) or target in clients)

    return replace(plan, jobs=jobs, faults=[fault for fault in plan.faults if is_left(fault)])


# -- tasks -----------------------------------------------------------------------------------------------------------


def without_task(plan: Plan, name: str) -> Plan:
    """The plan without this task and all below it."""
    return without_tasks(plan, [name])


def without_tasks(plan: Plan, names: Collection[str]) -> Plan:
    """The plan without these tasks and all below them."""
    jobs = [replace(job, items=_left(job.items, names)) for job in plan.jobs]
    return _with_jobs(plan, [job for job in jobs if job.items])


def _left(tasks: list[Task], names: Collection[str]) -> list[Task]:
    return [_pruned(task, names) for task in tasks if task.name not in names]


def _pruned(task: Task, names: Collection[str]) -> Task:
    if not any(True for _ in batches_of(task)):
        return task
    steps = [
        replace(step, children=_left(step.children, names)) if isinstance(step, Batch) else step for step in task.steps
    ]
    return replace(task, steps=[step for step in steps if not isinstance(step, Batch) or step.children])


def with_task(plan: Plan, name: str, edit: Callable[[Task], Task]) -> Plan:
    """The plan with this one task replaced by what ``edit`` makes of it."""
    return _each_task(plan, lambda task: edit(task) if task.name == name else task)


def plain_task(task: Task) -> Task:
    """The same task that neither fails nor kills nor ignores a cancel, prints nothing, and is an async f; the batches
    stay. For `with_task`."""
    return Task(task.name, [step for step in task.steps if not isinstance(step, Say)])


def plain_batches(task: Task) -> Task:
    """The same task, whose batches are plain maps: without any option, and waited for. For `with_task`."""
    steps = [
        Batch([_deaf(child) for child in step.children]) if isinstance(step, Batch) else step for step in task.steps
    ]
    return replace(task, steps=steps)


def _deaf(task: Task) -> Task:
    return replace(task, steps=[step for step in task.steps if not isinstance(step, Listen)])


def plain_job(plan: Plan, name: str) -> Plan:
    """The plan with this job submitted at once and without options."""
    return replace(plan, jobs=[Job(job.name, job.items, job.client) if job.name == name else job for job in plan.jobs])


def simpler_tasks(plan: Plan, name: str) -> Iterator[Plan]:
    """The plan with this task simpler in one way or another; nothing where it is plain already."""
    for edit in (plain_task, plain_batches):
        simpler = with_task(plan, name, edit)
        if simpler != plan:
            yield simpler


def with_seconds(plan: Plan, seconds: float) -> Plan:
    """The plan with all that computes taking so long; without such steps if that is 0."""
    same = Compute(seconds)

    def edit(task: Task) -> Task:
        steps = [same if isinstance(step, Compute) else step for step in task.steps]
        return replace(task, steps=[step for step in steps if seconds or not isinstance(step, Compute)])

    return _each_task(plan, edit)


def _each_task(plan: Plan, edit: Callable[[Task], Task]) -> Plan:
    def deep(task: Task) -> Task:
        steps = [
            replace(step, children=[deep(child) for child in step.children]) if isinstance(step, Batch) else step
            for step in task.steps
        ]
        return edit(replace(task, steps=steps))

    return replace(plan, jobs=[replace(job, items=[deep(item) for item in job.items]) for job in plan.jobs])
