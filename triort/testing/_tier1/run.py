"""Runs a plan on the pure cores, and tells how it went."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

from triort._model.limits import GRACE_S
from triort._model.marks import observed
from triort.testing._checkers import all_checkers
from triort.testing._events import Violation
from triort.testing._plan.plan import Plan
from triort.testing._run import Checker, Run, Trace
from triort.testing._tier1.cluster import Cluster
from triort.testing._tier1.faults import Faults
from triort.testing._tier1.nodes import Node
from triort.testing._tier1.stuck import open_jobs, where_open

LOOK_EVENTS = 20
TASKS_PER_LOOK_EVENT = 4
LOOK_S = 1e-3
LOOK_MAX_S = 0.05
"""Checkers look after so many events and so much time, or after so much time alone; less often where tasks are many."""
LOOK_QUIET_S = 1.0
"""And after so much time in which nothing has happened."""
STUCK_S = 2 * GRACE_S + 1.0
"""When nothing has happened for so long but looks of bosses at pages and tasks for messages, nothing will."""
EVENTS_PER_TASK_MAX = 5_000
EVENTS_MAX = 500_000
"""A run may take so many events, and so many more for each task."""


def run_tier1(
    plan: Plan,
    *,
    checkers: Sequence[Checker] | None = None,
    keep_all: bool = False,
    frames: bool = True,
    until_s: float | None = None,
) -> Run:
    """Run the plan; blocks until it is over. Whatever fails is in ``violation``.

    Args:
        plan: a valid plan.
        checkers: the checks to be made; all by default.
        keep_all: keep all events, not the last ones only.
        frames: False: messages are counted, and not told one by one.
        until_s: stop there, in virtual seconds, without a look at what is left.
    """
    with _no_gc():
        return _run(plan, all_checkers(plan) if checkers is None else checkers, keep_all, frames, until_s)


def _run(plan: Plan, checkers: Sequence[Checker], keep_all: bool, frames: bool, until_s: float | None) -> Run:
    trace = Trace(checkers, keep_all=keep_all, frames=frames)
    cluster = Cluster(plan, trace)
    faults = Faults(cluster)
    violation: Violation | None = None
    with observed(cluster):
        try:
            _drive(cluster, faults, until_s)
        except Violation as found:
            violation = found if found.time_s else Violation(found.check, found.text, cluster.now)
        except Exception as exc:  # a core has failed: that is what the run has found
            violation = _crash(exc, cluster.now)
    ended = Run(
        plan=plan,
        tier=1,
        violation=violation,
        trace_hash=trace.digest,
        events=list(trace.events),
        outcomes=cluster.outcomes,
        now_s=cluster.now,
        num_events=trace.num_events,
        num_messages=trace.num_messages,
        marks=dict(trace.marks),
        missed=faults.missed,
    )
    cluster.wires.cut_all()
    return ended


def _drive(cluster: Cluster, faults: Faults, until_s: float | None) -> None:
    """From the start of the cluster to rest."""
    plan, heap, checkers = cluster.plan, cluster.heap, cluster.trace.checkers
    for checker in checkers:
        checker.begin(cluster)
    cluster.start()
    for job in plan.jobs:
        heap.at_time(job.at_s, cluster.clients[job.client].submit, job)
    faults.schedule()
    last_s = max([0.0, *(fault.at_s + fault.for_s for fault in plan.faults), *(job.at_s for job in plan.jobs)])
    heap.at_time(last_s, faults.heal)
    end_s = last_s + plan.heal_s
    events_max = EVENTS_MAX + EVENTS_PER_TASK_MAX * len(cluster.tasks)
    look_events = max(LOOK_EVENTS, len(cluster.tasks) // TASKS_PER_LOOK_EVENT)
    looked_at, unseen, steps = 0.0, 0, 0
    while len(heap) or (heap.has_idle and cluster.unsettled()):
        if until_s is not None and heap.next_time() > until_s:
            return
        unseen += heap.step()
        steps += 1
        elapsed_s = heap.now - looked_at
        if (unseen >= look_events and elapsed_s >= LOOK_S) or elapsed_s >= (LOOK_MAX_S if unseen else LOOK_QUIET_S):
            looked_at, unseen = heap.now, 0
            for checker in checkers:
                checker.look()
            _check_progress(cluster, end_s)
        if steps > events_max:
            raise Violation("livelock", f"{steps} events, and no end: {where_open(cluster)}", heap.now)
    if open_jobs(cluster):
        raise Violation("deadlock", f"nothing will happen any more: {where_open(cluster)}", heap.now)
    for checker in checkers:
        checker.at_rest()


def _check_progress(cluster: Cluster, end_s: float) -> None:
    """Raise `Violation` if it is stuck, or takes too long."""
    heap = cluster.heap
    if not heap.num_live and heap.now - heap.live_at > STUCK_S:
        if not cluster.unsettled():
            raise Violation("deadlock", f"nothing has happened for {STUCK_S} s: {where_open(cluster)}", heap.now)
        heap.live_at = heap.now - STUCK_S / 2
    if heap.now > end_s:
        text = f"not at rest {cluster.plan.heal_s} s after the last fault and job: {where_open(cluster)}"
        raise Violation("livelock", text, heap.now)


def _crash(exc: Exception, now: float) -> Violation:
    """An error of the cores: which node, and where; nothing that differs between machines."""
    node, place = "the cluster", ""
    for name, line, owner in _frames(exc.__traceback__):
        place = f"{name}:{line}"
        node = owner or node
    return Violation(f"crash of {node}", f"{type(exc).__name__}: {exc} in {place}", now)


def _frames(traceback: TracebackType | None) -> Iterator[tuple[str, int, str]]:
    """Function, line and node of each frame."""
    while traceback is not None:
        frame = traceback.tb_frame
        owner = frame.f_locals.get("self")
        module = frame.f_globals.get("__name__", "")
        yield f"{module}.{frame.f_code.co_qualname}", traceback.tb_lineno, owner.name if isinstance(owner, Node) else ""
        traceback = traceback.tb_next


@contextmanager
def _no_gc() -> Iterator[None]:
    """Without the garbage collector, whose passes over a wide cluster take longer than the run. It takes the cluster
    away at the end: later, among what has survived a pass, it would hardly look again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.collect(0)
            gc.enable()
