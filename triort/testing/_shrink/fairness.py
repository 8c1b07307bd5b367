"""Whether a smaller plan is a fair one: a cluster without a bug gets through it, if it gets through the first one.

It must be valid. One way from the server to a worker must stay whole if it was, for a server that loses all below it
fails, and rightly so. And no task may take workers with it without end: one that always kills its worker has a crash
limit, and so have those above it, or it was so from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
import msgspec

from triort._model.errors import UsageError
from triort.testing._plan.check import check_plan
from triort.testing._plan.choices import STUBBORN_SLOWNESS
from triort.testing._plan.generate import heal_of
from triort.testing._plan.plan import Batch, Job, Plan, Task
from triort.testing._plan.risks import outlasts_grace
from triort.testing._plan.support import core_of
from triort.testing._plan.walk import batches_of

LIMIT_MAX = 100
"""A crash limit above this is none."""


@attrs.frozen
class Fairness:
    """What the first plan was like."""

    has_core: bool
    endless: int
    heal_s: float
    is_heal_drawn: bool
    """Whether the time to end is that which generated plans have."""

    @classmethod
    def of(cls, plan: Plan) -> Fairness:
        """What a plan is like."""
        heal_s = heal_of(plan.jobs)
        has_core = core_of(plan.tree, plan.faults) is not None
        return cls(has_core, num_endless(plan), max(heal_s, plan.heal_s), plan.heal_s == heal_s)

    def made_fair(self, plan: Plan) -> Plan | None:
        """The plan, with less time to end if it needs less than it had; None if it is not a fair one."""
        try:
            check_plan(plan)
        except UsageError:
            return None
        heal_s = heal_of(plan.jobs)
        if (self.has_core and core_of(plan.tree, plan.faults) is None) or heal_s > self.heal_s:
            return None
        if num_endless(plan) > self.endless:
            return None
        return msgspec.structs.replace(plan, heal_s=heal_s) if self.is_heal_drawn else plan


def num_endless(plan: Plan) -> int:
    """How many tasks may take workers with them without end."""
    return sum(1 for job in plan.jobs for _ in _endless(job.items, job, is_limited=True))


def _endless(tasks: Sequence[Task], options: Job | Batch, *, is_limited: bool) -> Iterator[Task]:
    is_limited = is_limited and (options.crash_limit <= LIMIT_MAX or options.at_most_once)
    for task in tasks:
        if not is_limited and (task.poison < 0 or outlasts_grace(task, STUBBORN_SLOWNESS)):
            yield task
        for batch in batches_of(task):
            yield from _endless(batch.children, batch, is_limited=is_limited)
