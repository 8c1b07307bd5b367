"""What the faults of a plan may do to tasks: take their attempts away, blame them, stop their jobs, move their clocks.

Faults are asked for what they *may* do, not whether they hit anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs

from triort._model.limits import GRACE_S, JOB_CRASHES_MAX, LEASE_S
from triort.testing._plan.names import is_client, is_worker
from triort.testing._plan.plan import Batch, Fault, FaultKind, Job, Listen, Plan, Task
from triort.testing._plan.walk import all_tasks, seconds_of, subtree_of

PAUSE_S = GRACE_S - 1.0
"""A pause so long may look like a task that ignores its cancel, to the boss that waits for its end."""

MANY = 10_000.0
"""More workers than are ever killed because a task ignores its cancel, or a clock is wrong; and far less than the
default of ``crash_limit``."""

ENDS_A_LINK = frozenset({
    FaultKind.CLOSE, FaultKind.CUT, FaultKind.HALF_OPEN, FaultKind.VANISH, FaultKind.CORRUPT_FRAME,
})  # fmt: skip
ENDS_A_NODE = frozenset({
    FaultKind.CRASH_WORKER, FaultKind.CRASH_MANAGER, FaultKind.CRASH_SERVER, FaultKind.STALE_INCARNATION,
})  # fmt: skip
PAUSES = frozenset({FaultKind.CLOG, FaultKind.ONE_WAY, FaultKind.SLOW_NODE, FaultKind.SLOW_READER})
CLOCKS = frozenset({FaultKind.CLOCK_OFFSET, FaultKind.CLOCK_DRIFT})


@attrs.frozen
class Risks:
    """What may happen to the tasks of a plan from outside of them."""

    losses: bool
    """Whether any attempt may be lost at all."""
    blames: float
    """How often at most a task may be blamed for the end of a worker that neither it nor one below it has caused."""
    stopped: frozenset[str]
    """The jobs that may be cancelled as a whole."""
    clocks: bool
    """Whether clocks may go wrong or stand still, so that nothing can be said about deadlines."""
    slowness: float
    """How many times as long a task may compute."""
    killers: int
    """How many tasks may kill their worker."""
    attacks: bool
    """Whether attempts may be lost by anything but these."""


def risks_of(plan: Plan) -> Risks:
    """What may happen in this plan."""
    slowness = _slowness(plan.faults)
    killers = sum(1 for task in all_tasks(plan) if task.poison or outlasts_grace(task, slowness))
    pauses = [pause_of(fault) for fault in plan.faults if fault.kind in PAUSES]
    is_clock_wrong = any(fault.kind in CLOCKS for fault in plan.faults)
    too_long = is_clock_wrong or max(pauses, default=0.0) >= PAUSE_S
    takes_away = [fault for fault in plan.faults if _takes_away(fault)]
    return Risks(
        losses=bool(takes_away or killers or too_long),
        attacks=bool(takes_away or too_long),
        blames=sum(1.0 for fault in takes_away if is_worker(fault.target)) + (MANY if too_long else 0.0),
        stopped=frozenset(job for fault in plan.faults for job in stopped_by(fault.kind, fault.target, plan)),
        clocks=is_clock_wrong or bool(pauses),
        slowness=slowness,
        killers=killers,
    )


def pause_of(fault: Fault) -> float:
    """How long a fault of `PAUSES` lasts: a link that is silent for no time at all is silent for ever."""
    return math.inf if fault.kind in (FaultKind.CLOG, FaultKind.ONE_WAY) and not fault.for_s else fault.for_s


def kills_of(task: Task) -> float:
    """How many workers the task takes with it by its poison."""
    return math.inf if task.poison < 0 else task.poison


def outlasts_grace(task: Task, slowness: float) -> bool:
    """Whether the task, once it is cancelled, may ignore that until its worker is killed."""
    return task.stubborn and is_longer_than_grace(task, slowness)


def is_longer_than_grace(task: Task, slowness: float) -> bool:
    """Whether the task may go on for the grace time once it is cancelled; a wait counts as endless."""
    if any(isinstance(step, Batch | Listen) for step in task.steps):
        return True
    return seconds_of(task) * slowness >= PAUSE_S


def may_cost_too_many(job: Job, risks: Risks) -> bool:
    """Whether the tasks of a job may cost more workers than one job may."""
    tasks = [task for item in job.items for task in subtree_of(item)]
    own = sum(math.inf if outlasts_grace(task, risks.slowness) else kills_of(task) for task in tasks)
    return own + risks.blames > JOB_CRASHES_MAX


def _slowness(faults: Sequence[Fault]) -> float:
    """How slow a worker may get when all that slows it comes at once."""
    factors: dict[str, float] = {}
    for fault in faults:
        if fault.kind is FaultKind.SLOW_NODE and is_worker(fault.target):
            factors[fault.target] = factors.get(fault.target, 1.0) * max(fault.factor, 1.0)
    return max(factors.values(), default=1.0)


def _takes_away(fault: Fault) -> bool:
    return fault.kind in ENDS_A_NODE or (fault.kind in ENDS_A_LINK and not is_client(fault.target))


def stopped_by(kind: FaultKind, target: str, plan: Plan) -> list[str]:
    """The jobs that such a fault cancels as a whole."""
    match kind:
        case FaultKind.CANCEL_STORM:
            return [job.name for job in plan.jobs]
        case FaultKind.CRASH_SERVER:
            away_s = [fault.for_s or math.inf for fault in plan.faults if fault.kind is kind]
            is_survived = plan.journal and sum(away_s) < LEASE_S / 2
            return [] if is_survived else [job.name for job in plan.jobs]
        case FaultKind.CANCEL_JOB | FaultKind.CANCEL_RACE:
            return [target]
        case _ if kind is FaultKind.CLIENT_DEATH or kind in ENDS_A_LINK:
            return [job.name for job in plan.jobs if job.client == target]
    return []
