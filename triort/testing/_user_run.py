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
from triort.testing._events import Violation
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

TestFn = Callable[..., Coroutine[Any, Any, None]]
LIVELOCK_EVENTS_MAX = 2_000_000
REST_S = 30.0


@attrs.frozen
class UserRun:
    """How it went: the run, what it raised, and which `sometimes` held."""

    run: Run
    error: BaseException | None
    reached: dict[str, bool]


def run_user_test(
    plan: Plan, fn: TestFn, args: tuple[Any, ...], kwargs: dict[str, Any], durations: Mapping[Callable[..., Any], float]
) -> UserRun:
    """Run ``fn(sim, *args, **kwargs)`` on a simulated cluster; raises nothing but what keeps a simulation from running."""
    trace = Trace([OncePerLink(), TablesEmpty(), IdleTruth(), BothEnds()], keep_all=True)
    clock = SimClock(now=-START_S, max_events=LIVELOCK_EVENTS_MAX)
    schedule = schedule_named(plan.schedule, plan.seed, plan.script, record=True)
    body = _Body(plan, fn, args, kwargs, durations, trace, clock)
    try:
        run(body.main, seed=plan.seed, schedule=schedule, clock=clock)
    except SimulationError as exc:
        body.error = body.error or Violation(type(exc).__name__.lower(), str(exc), clock.now)
    error = body.error
    violation = error if isinstance(error, Violation) or error is None else _as_violation(error, clock.now)
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
    return UserRun(ended, error, body.reached)


def _as_violation(error: BaseException, now_s: float) -> Violation:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return Violation(type(error).__name__, str(error), now_s)


@attrs.define(eq=False)
class _Body:
    """The run as it goes on."""

    plan: Plan
    fn: TestFn
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    durations: Mapping[Callable[..., Any], float]
    trace: Trace
    clock: SimClock
    error: BaseException | None = None
    reached: dict[str, bool] = attrs.Factory(dict)

    async def main(self) -> None:
        """The whole run."""
        async with open_cluster(self.plan, self.clock, self.trace) as cluster:
            for checker in self.trace.checkers:
                checker.begin(cluster)
            sim = Sim(cluster, Faults(cluster, {}))
            cluster.tells_calls = True
            cluster.durations = self._durations(sim)
            _conditions.current.append(sim)
            try:
                with redirected(lambda: Worker.current):
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
            await self.fn(sim, *self.args, **self.kwargs)
        except trio.Cancelled:
            raise  # a check has failed
        except BaseException as exc:  # whatever it is, it is how the test ended
            self.error = exc
            sim._cluster.scope.cancel()
            await trio.lowlevel.checkpoint()

    async def _end(self, cluster: Cluster) -> None:
        """After the shutdown nothing may be left."""
        await cluster.stop()
        await self.clock.wait_quiet(self.clock.now + REST_S)
        left = [*cluster.node_processes, *cluster.processes]
        if left:
            cluster.violate(
                Violation("nothing left", f"after the shutdown there is still {', '.join(left)}", cluster.now)
            )

    def _durations(self, sim: Sim) -> Callable[[Callable[..., Any], SimProcess], float]:
        def duration_s(call: Callable[..., Any], process: SimProcess) -> float:
            given = self.durations.get(call)
            return sim.duration_s(call, process) if given is None else given

        return duration_s
