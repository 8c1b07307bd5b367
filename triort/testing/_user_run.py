"""Runs one simulated test of a user on the plan of one seed."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import attrs
import trio

from triort._node.output import redirected
from triort._node.worker import Worker
from triort.testing import _conditions
from triort.testing._checkers.both_ends import BothEnds
from triort.testing._checkers.idle_truth import IdleTruth
from triort.testing._checkers.once_per_link import OncePerLink
from triort.testing._checkers.tables_empty import TablesEmpty
from triort.testing._events import Event, Violation
from triort.testing._plan.plan import Plan
from triort.testing._run import Run, Trace
from triort.testing._sim import Sim
from triort.testing._tier2.cluster import START_S, Cluster, open_cluster
from triort.testing._tier2.faults import Faults
from triort.testing._tier2.process import SimProcess
from triort.testing._trio.clock import SimClock
from triort.testing._trio.failures import SimulationError
from triort.testing._trio.run import run
from triort.testing._trio.schedule import schedule_named
from triort.testing._user_errors import as_violation, violation_of_run
from triort.testing._user_looks import Looks
from triort.testing._user_output import Output, taken_over
from triort.testing._user_walls import ended_by_ctrl_c, no_real_cluster

TestFn = Callable[..., Coroutine[Any, Any, None]]
LIVELOCK_EVENTS_MAX = 2_000_000
REST_S = 30.0


@attrs.frozen
class UserTest:
    """A test as it was called."""

    fn: TestFn
    arguments: dict[str, Any]
    durations: Mapping[str, float]
    """By the names of functions."""


@attrs.frozen
class UserRun:
    """How it went: the run, what it raised, which `sometimes` held, and what was said meanwhile."""

    run: Run
    error: BaseException | None
    reached: dict[str, bool]
    output: Output


def full_name(call: Callable[..., Any]) -> str:
    """The name by which a function is known that may have been pickled and made again."""
    kind = type(call)
    return f"{getattr(call, '__module__', kind.__module__)}.{getattr(call, '__qualname__', kind.__qualname__)}"


def run_user_test(plan: Plan, test: UserTest, *, hold_back: bool = True) -> UserRun:
    """Run the test on a simulated cluster; raises nothing but what keeps a simulation from running, and Ctrl-C."""
    trace = _TestTrace([OncePerLink(), TablesEmpty(), IdleTruth(), BothEnds()], keep_all=True)
    clock = SimClock(now=-START_S, max_events=LIVELOCK_EVENTS_MAX)
    schedule = schedule_named(plan.schedule, plan.seed, plan.script, record=True)
    with taken_over(hold_back=hold_back) as output:
        body = _Body(plan, test, trace, clock, output)
        try:
            with ended_by_ctrl_c(body.end), no_real_cluster():
                run(body.main, seed=plan.seed, schedule=schedule, clock=clock)
        except SimulationError as exc:
            body.error = body.error or violation_of_run(exc, clock.now)
        except BaseExceptionGroup as group:
            if group.subgroup(KeyboardInterrupt) is None:
                raise
            raise KeyboardInterrupt from None
    error = body.error
    violation = error if isinstance(error, Violation) or error is None else as_violation(error, trace.ended_s)
    ended = Run(
        plan=plan,
        tier=2,
        violation=violation,
        trace_hash=trace.digest,
        events=list(trace.events),
        outcomes={},
        now_s=clock.now,
        num_events=trace.num_events,
        num_messages=trace.num_messages,
        marks=dict(trace.marks),
        script=dict(schedule.deviations),
    )
    return UserRun(ended, error, body.reached, output)


class _TestTrace(Trace):
    """Ends with the failure: what the cluster does on its way out explains nothing."""

    cluster: Cluster | None = None
    is_over = False
    ended_s = 0.0

    def end(self, now_s: float) -> None:
        """The run has failed."""
        if not self.is_over:
            self.is_over, self.ended_s = True, now_s

    def tell(self, event: Event) -> None:
        """An event has happened."""
        if not self.is_over and (self.cluster is None or self.cluster.violation is None):
            super().tell(event)


@attrs.define(eq=False)
class _Body:
    """The run as it goes on."""

    plan: Plan
    test: UserTest
    trace: _TestTrace
    clock: SimClock
    output: Output
    error: BaseException | None = None
    reached: dict[str, bool] = attrs.Factory(dict)

    def end(self) -> None:
        """End the run soon, whoever calls this."""
        if self.trace.cluster is not None:
            self.clock.at(self.clock.now, self.trace.cluster.scope.cancel)

    async def main(self) -> None:
        """The whole run."""
        async with open_cluster(self.plan, self.clock, self.trace) as cluster:
            for checker in self.trace.checkers:
                checker.begin(cluster)
            self.trace.cluster = cluster
            sim = Sim(cluster, Faults(cluster, {}), self.output, Looks(cluster))
            cluster.tells_calls = True
            cluster.durations = self._durations(sim)
            _conditions.current.append(sim)
            try:
                with redirected(lambda: Worker.current), sim._looks.in_place():
                    await cluster.start(self.plan.tree)
                    sim._faults.schedule()
                    await self._run(sim)
                    await self._end(cluster)
            finally:
                _conditions.current.pop()
                self.reached = sim.reached
                self.error = cluster.violation or self.error

    async def _run(self, sim: Sim) -> None:
        try:
            await self.test.fn(sim=sim, **self.test.arguments)
        except trio.Cancelled:
            raise  # a check has failed
        except BaseException as exc:  # whatever it is, it is how the test ended
            self.error = exc
            self.trace.end(self.clock.now)
            sim._cluster.scope.cancel()
            await trio.lowlevel.checkpoint()

    async def _end(self, cluster: Cluster) -> None:
        """After the shutdown nothing may be left, but managers that wait for a boss."""
        await cluster.stop()
        await self.clock.wait_quiet(self.clock.now + REST_S)
        cluster.dismiss_unclaimed()
        await self.clock.wait_quiet(self.clock.now + REST_S)
        left = [*cluster.node_processes, *cluster.processes]
        if left:
            cluster.violate(
                Violation("nothing left", f"after the shutdown there is still {', '.join(left)}", cluster.now)
            )

    def _durations(self, sim: Sim) -> Callable[[Callable[..., Any], SimProcess], float]:
        def duration_s(call: Callable[..., Any], process: SimProcess) -> float:
            sim._looks.note_computing()
            given = self.test.durations.get(full_name(call))
            return sim.duration_s(call, process) if given is None else given

        return duration_s
