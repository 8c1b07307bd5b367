"""Random plans: a seed becomes an explicit plan, and each of its parts is drawn by a name of its own.

So the same seed has the same load with other faults, and the same faults on that load; a part that is switched off
leaves the others as they were.
"""

from __future__ import annotations

from collections.abc import Sequence

from triort._model.errors import UsageError
from triort._model.limits import GRACE_S, LEASE_S, RESTART_DELAY_S
from triort.testing._plan.check import TASKS_MAX
from triort.testing._plan.choices import Choices
from triort.testing._plan.draws import Draws
from triort.testing._plan.faults import draw_faults
from triort.testing._plan.plan import PLAN_VERSION, FaultKind, Job, Plan, Task
from triort.testing._plan.risks import outlasts_grace
from triort.testing._plan.spans import span_of
from triort.testing._plan.swarm import Faults, Features, Swarm
from triort.testing._plan.trees import draw_latency, draw_tree
from triort.testing._plan.walk import batches_of
from triort.testing._plan.workload import draw_jobs, draw_times

TASKS = 60
HEAL_S = 2 * LEASE_S + 30.0
SCHEDULES = ("random", "random", "fifo", "pct")
ANY = Faults.swarm().also(FaultKind.CRASH_SERVER)
KILLS_MAX = 10_000
JOURNALS = 0.4
"""How often the server keeps one."""


def generate(
    seed: int,
    *,
    size: int = TASKS,
    tree: Sequence[int] | None = None,
    levels: int | None = None,
    latency: Sequence[str] | None = None,
    faults: Swarm | None = None,
    features: Swarm | None = None,
    buggify: Sequence[str] = (),
) -> Plan:
    """The plan of a seed.

    ``size`` is the number of tasks. ``tree`` (fan-outs, workers last), or only the number of its ``levels``, and
    ``latency`` are drawn if they are not given. ``faults`` are all kinds, each with probability ½, and ``features`` of
    the load `Features.swarm` if nothing else is said. ``buggify`` names points of the product; each is on in half of
    the plans.
    """
    if not 1 <= size <= TASKS_MAX:
        raise UsageError(f"size is a number of tasks from 1 to {TASKS_MAX}, not {size}")
    draws = Draws(seed)
    grown = draw_tree(draws, levels) if tree is None else list(tree)
    classes = draw_latency(draws, len(grown)) if latency is None else list(latency)
    choices = Choices(draws, Features.swarm() if features is None else features, size)
    jobs = draw_jobs(choices, size)
    span_s = span_of(jobs, grown, classes)
    jobs = draw_times(choices, jobs, span_s)
    span_s += max((job.at_s for job in jobs), default=0.0)
    return Plan(
        version=PLAN_VERSION,
        seed=seed,
        tree=grown,
        jobs=jobs,
        faults=draw_faults(draws, ANY if faults is None else faults, grown, jobs, span_s),
        latency=classes,
        buggify={point: round(draws.unit("buggify", point, "often"), 3) for point in _points(draws, buggify)},
        schedule=draws.choice(SCHEDULES, "schedule"),
        journal=draws.chance(JOURNALS, "journal"),
        heal_s=heal_of(jobs),
    )


def _points(draws: Draws, buggify: Sequence[str]) -> list[str]:
    return [point for point in buggify if draws.chance(0.5, "buggify", point, "on")]


def heal_of(jobs: Sequence[Job]) -> float:
    """How long a load may take to end: as a client is waited for, and more for each worker that it kills itself."""
    kills = sum(_kills(item, job.crash_limit) for job in jobs for item in job.items)
    return HEAL_S + min(kills, KILLS_MAX) * (GRACE_S + RESTART_DELAY_S)


def _kills(task: Task, limit: int) -> int:
    """How many workers the task and all below it may kill before each has been blamed too often."""
    own = max(task.poison, 0)
    below = sum(_kills(child, batch.crash_limit) for batch in batches_of(task) for child in batch.children)
    forever = task.poison < 0 or outlasts_grace(task, 1.0)
    return own + (min(limit, KILLS_MAX) if forever else 0) + below * max(min(limit, 3), 1)
