"""The sequential interpreter: which outcomes the parent of each task, or the client of a job, may be told.

It goes through the task trees as if one worker did one step after the other, and keeps a set wherever the plan leaves
a race. A task without any race in or around it has one outcome. From below to above:

* **Value**: 1 plus the values of the task's batches that it waits for. A batch counts the sum of its children's values,
  or `CAUGHT` when it fails and the task catches that. A batch may fail when a child may end in any other way than by
  a value, or when the task cancels it (``cancel_after_s``; a batch that is through by then does not fail).
* **Error**: a batch fails and nobody catches it, or the task itself raises at its end (see `tries`). It is told only
  when the retries are used up: ``fails`` up to ``retries`` never shows. Tries are counted over the whole run, so a task
  whose attempts may be lost, or with an ancestor that may be tried again, may have used up its failures unseen.
* **Timeout**: the task has a ``timeout_s``. Two cases are certain. One beyond the time in which all has to end never
  passes; one of less than half of what the task itself computes always does (if no clock and no pause interferes).
* **Crashed**: with ``at_most_once`` when any attempt may be lost; else when the task may be blamed as often as its
  ``crash_limit``. A worker's death is blamed on what its boss knows: of the task on the CPU and the ancestors that it
  shares the worker with *by having never left it*, the topmost. So a task may be blamed for itself and for all tasks
  below it, but for no others. The count is kept by its owner and starts anew when the owner runs again. A poison task
  that shares its parent's worker therefore harms the parent and not itself; one that has left it and come back to the
  very same worker is blamed itself, and the parent is lost without blame. A task that kills in all tries never has a
  value. A job that has cost more workers than one job may is stopped, and what is left of its items has crashed.
  Whatever fault ends a worker, what is on its CPU then is blamed; all other losses are nobody's fault.
* **Cancelled**, from above to below: the plan has a reason to cancel it. Another item of the job, or another child of
  the batch, may fail; the parent does not wait for it, cancels it after a while, or may itself be cancelled for such a
  reason or run out of time. A task that is cancelled or out of time is not tried again, so an error that a retry would
  have hidden may show.

Two things are left out of these sets, for they depend on when a fault comes: a job that is stopped from outside, and
the descendants of an attempt that is lost, which are cancelled and some of which live on to be told so. Who sees the
events knows whether that has happened and asks `Fate.allows` with ``doomed``.
"""

from __future__ import annotations

import itertools

import attrs

from triort._model.errors import UsageError
from triort.testing._events import Outcome
from triort.testing._plan.fate import Fate as Fate
from triort.testing._plan.plan import CAUGHT as CAUGHT
from triort.testing._plan.plan import PLAN_VERSION, Batch, Job, Plan, Task
from triort.testing._plan.risks import MANY, Risks, kills_of, may_cost_too_many, outlasts_grace, risks_of
from triort.testing._plan.values import ANY, Values, added, cut_to_size
from triort.testing._plan.walk import batches_of, children_of, seconds_of

ERROR, CANCELLED, TIMEOUT, CRASHED = "error", "cancelled", "timeout", "crashed"
HOPELESS_MARGIN_S = 0.1


def fates(plan: Plan) -> dict[str, Fate]:
    """How each task may end at its parent, or each item at its client, by name."""
    oracle = _Oracle(plan)
    for job in plan.jobs:
        oracle.job(job)
    return oracle.fates


def has_races(plan: Plan) -> bool:
    """Whether some task may end in more ways than one, or a job be stopped from outside.

    In a plan without races that has losses, a task may be told of a cancelled child just before it is lost itself; or,
    where a dead manager cuts its parent off, long after; so compare what `note_outcome` keeps.
    """
    return bool(risks_of(plan).stopped) or any(fate.is_reached and fate.only is None for fate in fates(plan).values())


def expected(task: Task, *, retries: int = 0) -> Outcome:
    """How the task ends on its own, without faults; raises `UsageError` if that is a race."""
    fate = fates(Plan(PLAN_VERSION, 0, [1], [Job("j0", [task], retries=retries)]))[task.name]
    if fate.only is None:
        raise UsageError(f"task {task.name} may end as {fate}")
    return fate.only


@attrs.define(eq=False)
class _Own:
    """How a task may end if nobody cancels it."""

    values: Values
    kinds: frozenset[str]
    may_raise: bool
    """Whether a single try of it may raise."""
    kills: float
    """How many workers it and all below it may take with them."""


class _Oracle:
    def __init__(self, plan: Plan) -> None:
        self.risks: Risks = risks_of(plan)
        last_s = max([0.0, *(fault.at_s + fault.for_s for fault in plan.faults), *(job.at_s for job in plan.jobs)])
        self.horizon_s = last_s + plan.heal_s
        self.fates: dict[str, Fate] = {}
        self._own: dict[str, _Own] = {}
        self._unreached: set[str] = set()
        self._costs_too_many = False

    def job(self, job: Job) -> None:
        self._costs_too_many = may_cost_too_many(job, self.risks)
        for item in job.items:
            self._look_up(item, job, repeats=self.risks.losses, is_item=True)
        failing = self._failing(job.items)
        for item in job.items:
            self._look_down(item, failing != [] and failing != [item.name], job, is_reached=True)

    # -- from below to above -------------------------------------------------------------------------------------

    def _look_up(self, task: Task, options: Job | Batch, *, repeats: bool, is_item: bool = False) -> _Own:
        for batch in batches_of(task):
            for child in batch.children:
                self._look_up(child, batch, repeats=repeats or options.retries > 0)
        kills = kills_of(task) + sum(self._own[child.name].kills for child in children_of(task))
        totals, batch_raises = self._totals(task, options)
        raises = task.fails != 0 and task.poison >= 0 and totals != frozenset()
        values, kinds = totals, {ERROR} if batch_raises else set()
        if task.poison < 0 or task.fails < 0 or (task.fails > options.retries and not repeats):
            values = frozenset()
        if raises and (task.fails < 0 or task.fails > options.retries):
            kinds.add(ERROR)
        if self._may_time_out(options):
            kinds |= {TIMEOUT, ERROR} if raises else {TIMEOUT}  # an error that comes too late is not tried again
            if task.stubborn:  # it swallows what its deadline raises in its waits, too, and goes on without them
                values = ANY if values and any(True for _ in batches_of(task)) else values
            elif self._must_time_out(task, options):
                values, kinds = frozenset(), kinds if batch_raises else {TIMEOUT}
        if self._may_crash(options, kills):
            kinds.add(CRASHED)
            if is_item and self._must_crash(task, options) and not kinds - {CRASHED}:
                values = frozenset()
        if is_item and self._costs_too_many:
            kinds.add(CRASHED)
        if outlasts_grace(task, self.risks.slowness):  # only once it is cancelled, and so for nobody but its ancestors
            kills += MANY
        own = self._own[task.name] = _Own(values, frozenset(kinds), batch_raises or raises, kills)
        return own

    def _totals(self, task: Task, options: Job | Batch) -> tuple[Values, bool]:
        """The sums that the task may have at its end, and whether an uncaught batch may end it before."""
        totals: Values = frozenset({1})
        may_raise = False
        for batch in batches_of(task):
            if totals == frozenset():
                self._unreached.update(child.name for child in batch.children)
            if not batch.wait:
                continue
            sums: Values = frozenset({0})
            for child in batch.children:
                sums = added(sums, self._own[child.name].values)
            through = added(totals, sums)
            if self._may_fail(batch, options):
                if batch.catch:
                    caught = added(totals, frozenset({CAUGHT}))
                    through = None if through is None or caught is None else cut_to_size(through | caught)
                else:
                    may_raise = may_raise or totals != frozenset()
            totals = through
        return totals, may_raise

    def _may_fail(self, batch: Batch, options: Job | Batch) -> bool:
        if batch.cancel_after_s is not None or any(self._own[child.name].kinds for child in batch.children):
            return True
        return self.risks.clocks and options.timeout_s is not None  # two clocks may differ about the parent's deadline

    def _may_time_out(self, options: Job | Batch) -> bool:
        return options.timeout_s is not None and (self.risks.clocks or options.timeout_s < self.horizon_s)

    def _must_time_out(self, task: Task, options: Job | Batch) -> bool:
        if options.timeout_s is None or self.risks.clocks:
            return False
        return seconds_of(task) > 2.0 * options.timeout_s + HOPELESS_MARGIN_S

    def _may_crash(self, options: Job | Batch, kills: float) -> bool:
        if options.at_most_once:
            return self.risks.losses
        return options.crash_limit <= self.risks.blames + kills

    def _must_crash(self, task: Task, options: Job | Batch) -> bool:
        """For an item: whether its own poison is the only thing that ever ends a worker, and enough."""
        if self.risks.killers != 1 or self.risks.attacks or not task.poison:
            return False
        limit = 1 if options.at_most_once else options.crash_limit
        return task.poison < 0 or task.poison >= limit

    # -- from above to below -------------------------------------------------------------------------------------

    def _look_down(self, task: Task, may_cancel: bool, options: Job | Batch, *, is_reached: bool) -> None:
        own = self._own[task.name]
        doomed = frozenset({CANCELLED, ERROR}) if own.may_raise else frozenset({CANCELLED})
        kinds = own.kinds | doomed if may_cancel else own.kinds
        is_reached = is_reached and task.name not in self._unreached
        self.fates[task.name] = Fate(own.values, kinds, doomed, is_reached)
        above = may_cancel or self._may_time_out(options)
        for batch in batches_of(task):
            failing = self._failing(batch.children)
            for_all = above or not batch.wait or batch.cancel_after_s is not None
            for child in batch.children:
                stops = for_all or (failing != [] and failing != [child.name])
                self._look_down(child, stops, batch, is_reached=is_reached)

    def _failing(self, tasks: list[Task]) -> list[str]:
        """Those that may end otherwise than by a value; two are as many as more."""
        return list(itertools.islice((task.name for task in tasks if self._own[task.name].kinds), 2))
