"""Runs a plan on a simulated cluster of real nodes, and tells how it went."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator, Sequence

import attrs
import trio

from triort._model.limits import FENCE_S, HEARTBEAT_S, LEASE_S
from triort._node.output import redirected
from triort._node.server_base import ServerBase
from triort._node.worker import Worker
from triort._transport.session import SessionConnection
from triort.testing._checkers import all_checkers
from triort.testing._checkers.books import end_of_trouble
from triort.testing._events import Event, Kind, Violation
from triort.testing._plan.plan import Plan
from triort.testing._run import Checker, Run, Trace
from triort.testing._tier2.clients import SimClient
from triort.testing._tier2.cluster import START_S, Cluster, open_cluster
from triort.testing._tier2.faults import Faults
from triort.testing._tier2.functions import scripts_of
from triort.testing._trio.clock import SimClock
from triort.testing._trio.failures import SimulationError
from triort.testing._trio.run import run
from triort.testing._trio.schedule import schedule_named

LOOK_S = 5e-3
LOOK_MAX_S = 0.5
"""While nothing happens, it is looked less and less often whether something has."""
LOOK_AT_QUIET_S = 1.0
"""So often the books are looked at anyway."""
REST_S = 2 * LEASE_S + 15.0
"""How long the cluster may take to come to rest once all jobs have ended: more than a client is waited for."""


def run_tier2(
    plan: Plan, *, checkers: Sequence[Checker] | None = None, keep_all: bool = False, frames: bool = True
) -> Run:
    """Run the plan; blocks until it is over. Whatever fails is in ``violation``.

    Args:
        plan: a valid plan.
        checkers: the checks to be made, those that hold in this tier; all by default.
        keep_all: keep all events, not the last ones only.
        frames: False: messages are counted, and not told one by one.
    """
    checkers = [each for each in (all_checkers(plan) if checkers is None else checkers) if 2 in each.tiers]
    trace = Trace(checkers, keep_all=keep_all, frames=frames)
    clock = SimClock(now=-START_S)
    schedule = schedule_named(plan.schedule, plan.seed, plan.script, record=True)
    outcome = _Outcome(plan, trace, clock)
    try:
        run(outcome.main, seed=plan.seed, schedule=schedule, clock=clock)
    except SimulationError as exc:
        outcome.note(Violation(type(exc).__name__.lower(), str(exc), clock.now))
    cluster = outcome.cluster
    assert cluster is not None
    return Run(
        plan=plan,
        tier=2,
        violation=outcome.violation,
        trace_hash=trace.digest,
        events=list(trace.events),
        outcomes=cluster.outcomes,
        now_s=clock.now,
        num_events=trace.num_events,
        num_messages=trace.num_messages,
        marks=dict(trace.marks),
        script=dict(schedule.deviations),
        missed=outcome.missed,
    )


@attrs.define(eq=False)
class _Outcome:
    """The run as it goes on."""

    plan: Plan
    trace: Trace
    clock: SimClock
    cluster: Cluster | None = None
    missed: int = 0
    _violation: Violation | None = None
    _seen: int = 0
    _looked_s: float = 0.0
    _wait_s: float = LOOK_S

    @property
    def violation(self) -> Violation | None:
        """The first check that has failed."""
        return self._violation or (self.cluster.violation if self.cluster is not None else None)

    def note(self, violation: Violation) -> None:
        """A check has failed; the first one counts."""
        if self.violation is None:
            self._violation = violation

    async def main(self) -> None:
        """The whole run."""
        async with open_cluster(self.plan, self.clock, self.trace) as cluster:
            self.cluster = cluster
            for checker in self.trace.checkers:
                checker.begin(cluster)
            with _quiet_output(cluster), scripts_of(cluster, self.plan):
                await cluster.start(self.plan.tree)
                await self._work(cluster)
                await cluster.stop()
                await self._check_end(cluster)

    async def _work(self, cluster: Cluster) -> None:
        """From the first job to rest."""
        plan = self.plan
        clients: dict[str, SimClient] = {}
        for name in dict.fromkeys(job.client for job in plan.jobs):
            clients[name] = SimClient(cluster, name, [job for job in plan.jobs if job.client == name])
        faults = Faults(cluster, clients)
        cluster.on_outcome = faults.note_outcome
        faults.schedule()
        self._look(cluster)
        over_s = max([fault.at_s + fault.for_s for fault in plan.faults] + [job.at_s for job in plan.jobs], default=0.0)
        cluster.at(over_s, faults.heal)
        async with trio.open_nursery() as watch:
            watch.start_soon(self._watch_time, cluster, clients, over_s + plan.heal_s)
            async with trio.open_nursery() as nursery:
                for client in clients.values():
                    nursery.start_soon(client.run)
            watch.cancel_scope.cancel()
        self.missed = faults.missed
        await trio.sleep_until(max(over_s, end_of_trouble(plan)))
        if not await self._comes_to_rest(cluster):
            self._fail(cluster, "rest", f"all jobs have ended, and {REST_S} s later there is still something going on")
        for checker in self.trace.checkers:
            try:
                checker.at_rest()
            except Violation as violation:
                cluster.violate(violation)

    async def _watch_time(self, cluster: Cluster, clients: dict[str, SimClient], until_s: float) -> None:
        """Jobs that are open at this time take too long."""
        await trio.sleep_until(until_s)
        names = ", ".join(sorted(name for client in clients.values() for name in client.open))
        self._fail(cluster, "liveness", f"{names} did not end within {self.plan.heal_s} s of the last fault")

    async def _comes_to_rest(self, cluster: Cluster) -> bool:
        """Whether nothing more is to come. What is not confirmed may be lost, though nobody knows it yet: until then,
        time goes on."""
        until_s = cluster.now + REST_S
        while await self.clock.wait_quiet(until_s):
            if cluster.now >= until_s or all(_is_confirmed(each.node) for each in cluster.node_processes.values()):
                return True
            await trio.sleep(HEARTBEAT_S)
        return False

    async def _check_end(self, cluster: Cluster) -> None:
        """After the shutdown nothing may be left, but managers that wait for a boss."""
        left: list[str] = []
        for wait_s in (0.0, 0.0, FENCE_S):  # some learn only now that they have no boss, others in a while
            await trio.sleep(wait_s)
            cluster.dismiss_unclaimed()
            await self.clock.wait_quiet(cluster.now + REST_S)
            left = [*cluster.node_processes, *cluster.processes, *cluster.leftovers()]
            if not left:
                break
        if left:
            self._fail(cluster, "nothing left", f"after the shutdown there is still {', '.join(left)}")

    def _look(self, cluster: Cluster) -> None:
        """Let the checkers look at the books, now and then; less often while nothing happens."""
        self._wait_s = LOOK_S if self.trace.num_events != self._seen else min(2 * self._wait_s, LOOK_MAX_S)
        if self.trace.num_events != self._seen or cluster.now >= self._looked_s + LOOK_AT_QUIET_S:
            self._seen, self._looked_s = self.trace.num_events, cluster.now
            for checker in self.trace.checkers:
                try:
                    checker.look()
                except Violation as violation:
                    cluster.violate(violation)
        self.clock.in_background_at(cluster.now + self._wait_s, self._look, cluster)

    def _fail(self, cluster: Cluster, check: str, text: str) -> None:
        cluster.violate(Violation(check, text, cluster.now))


def _is_confirmed(node: ServerBase) -> bool:
    return not any(conn.replay.kept_bytes for conn in node.conns if isinstance(conn, SessionConnection))


@contextlib.contextmanager
def _quiet_output(cluster: Cluster) -> Iterator[None]:
    """What scripted tasks print travels as in the product, and ends here; what nodes log becomes events."""
    handler = _NodeLog(cluster)
    logger = logging.getLogger("triort")
    propagate, level = logger.propagate, logger.level
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    logger.addHandler(handler)
    try:
        sink = io.StringIO()
        with (
            contextlib.redirect_stdout(sink),
            contextlib.redirect_stderr(sink),
            redirected(lambda: Worker.current),
        ):
            yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
        logger.setLevel(level)


class _NodeLog(logging.Handler):
    """Warnings of nodes as events; an exception that a node has caught and logged is a bug of ours."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self._cluster = cluster

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it."""
        cluster = self._cluster
        if record.exc_info and record.exc_info[1] is not None:
            text = logging.Formatter().format(record)
            cluster.violate(Violation("a caught bug", text, cluster.now))
        cluster.tell(Event(cluster.now, Kind.LOG, record.name, record.getMessage()))
