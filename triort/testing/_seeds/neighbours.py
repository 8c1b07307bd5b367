"""Passing neighbours of a failing plan: as much like it as can be, so that the point where they part says something."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import msgspec

from triort._model.errors import UsageError
from triort.testing._plan.check import check_plan
from triort.testing._plan.edit import simpler_tasks, without_fault, without_job, without_task
from triort.testing._plan.plan import Plan
from triort.testing._plan.walk import all_tasks
from triort.testing._run import Run
from triort.testing._seeds.trials import Trial

RUNS_MAX = 30
FAULTS = 10
TASKS = 6
SEEDS = 3


def passing_neighbour(failing: Run, trial: Trial) -> Run | None:
    """A run, with all its events, of a plan that differs little and passes; None if none is found soon."""
    for plan in islice(_neighbours(failing.plan), RUNS_MAX):
        run = trial.run(plan, keep_all=True)
        if run.violation is None:
            return run
    return None


def _neighbours(plan: Plan) -> Iterator[Plan]:
    """Without one fault, without one task, with a plainer task, with other delays, without one job; the last first."""
    faults = [without_fault(plan, position) for position in reversed(range(len(plan.faults)))]
    names = [task.name for task in all_tasks(plan)][::-1][:TASKS]
    tasks = [without_task(plan, name) for name in names]
    plainer = [plain for name in names for plain in simpler_tasks(plan, name)]
    seeds = [msgspec.structs.replace(plan, seed=plan.seed + number) for number in range(1, SEEDS + 1)]
    jobs = [without_job(plan, job.name) for job in reversed(plan.jobs)]
    for other in [*faults[:FAULTS], *tasks, *plainer, *seeds, *jobs]:
        if other.jobs and _is_valid(other):
            yield other


def _is_valid(plan: Plan) -> bool:
    try:
        check_plan(plan)
    except UsageError:
        return False
    return True
