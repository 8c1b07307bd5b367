"""Shrinks a plan: faults first, then jobs and tasks, the tree, latencies and durations, settings, and the schedule.

Each pass makes one part smaller as far as it goes; all are repeated until none finds anything any more. The schedule
comes last, as any other change moves the batches that a recorded schedule is about.
"""

from __future__ import annotations

import time

from triort._model.errors import UsageError
from triort.testing._plan.plan import Plan
from triort.testing._shrink.faults import fewer_faults, simpler_faults
from triort.testing._shrink.forest import fewer_jobs, fewer_steps, fewer_tasks
from triort.testing._shrink.options import simpler_figures, simpler_options
from triort.testing._shrink.schedule import simpler_schedule
from triort.testing._shrink.search import Fails, Note, OutOfBudgetError, Recorded, Search, Shrunk
from triort.testing._shrink.trees import smaller_tree

BUDGET_S = 60.0
RUNS_MAX = 100_000
PASSES = (
    fewer_faults, fewer_jobs, fewer_tasks, smaller_tree, fewer_steps, simpler_figures, simpler_faults, simpler_options,
)  # fmt: skip


def shrink(
    plan: Plan,
    fails: Fails,
    *,
    recorded: Recorded | None = None,
    budget_s: float = BUDGET_S,
    runs_max: int = RUNS_MAX,
    note: Note = lambda text: None,
) -> Shrunk:
    """The smallest plan to be found that fails by the same check as ``plan``; raises `UsageError` if that passes.

    Args:
        plan: a plan that fails.
        fails: runs a plan and tells what it fails with.
        recorded: the schedule of a plan that fails, as `Run.script` has it; without it a schedule that matters stays.
        budget_s: no run begins after so many seconds of real time. With that much time at hand, the result is always
            the same.
        runs_max: so many runs at most, beside the first.
        note: called with a line about each smaller plan.
    """
    deadline = time.monotonic() + budget_s
    violation = fails(plan)
    if violation is None:
        raise UsageError("the plan does not fail, so there is nothing to shrink")
    search = Search(plan, violation, fails, note, deadline, runs_max)
    try:
        _to_the_end(search, recorded)
    except OutOfBudgetError:
        return Shrunk(search.plan, search.violation, search.runs, is_done=False)
    return Shrunk(search.plan, search.violation, search.runs, is_done=True)


def _to_the_end(search: Search, recorded: Recorded | None) -> None:
    is_open = True
    while is_open:
        before: Plan | None = None
        while search.plan != before:
            before = search.plan
            for simplify in PASSES:
                simplify(search)
        is_open = simpler_schedule(search, recorded)
