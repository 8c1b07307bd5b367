"""The decorator that makes a simulated test of an async function, and what it does with each seed.

A seed becomes a plan (tree, faults, latencies, schedule), and the plan a run. The first seed, and one of twenty, runs
twice: if the two differ, the code under test is not deterministic, and no failure of it could be replayed. A run that
fails is shrunk, written down as a plan, and told with the line that replays it.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from triort._model.errors import UsageError
from triort._version import __version__
from triort.testing._events import Violation
from triort.testing._plan.codec import load_plan
from triort.testing._plan.draws import Draws
from triort.testing._plan.faults import draw_faults
from triort.testing._plan.plan import PLAN_VERSION, Plan
from triort.testing._plan.swarm import Faults, Swarm
from triort.testing._report.divergence import compare_runs
from triort.testing._report.files import write_reports
from triort.testing._report.story import show_failure
from triort.testing._run import Run
from triort.testing._shrink.shrink import shrink
from triort.testing._user_run import TestFn, UserRun, run_user_test

SHRINK_S = 20.0
TWICE_EVERY = 20
REPORTS = "sim-failures"
SEED, SEEDS, PLAN = "TRIORT_SIM_SEED", "TRIORT_SIM_SEEDS", "TRIORT_SIM_PLAN"


class SimulatedTestFailed(AssertionError):
    """A simulated test has failed: the text tells on which seed, how to replay it, and what led to it. Its cause is
    what the test, or a check, has raised."""


@attrs.frozen
class Settings:
    """What `sim_test` was given."""

    seeds: int
    levels: tuple[int, ...]
    faults: Swarm
    latency: tuple[str, ...]
    span_s: float
    durations: Mapping[Callable[..., Any], float]
    marks: tuple[str, ...]
    fn: TestFn

    def plan(self, seed: int) -> Plan:
        """The plan of a seed."""
        draws = Draws(seed)
        faults = draw_faults(draws, self.faults, self.levels, [], self.span_s)
        return Plan(PLAN_VERSION, seed, list(self.levels), [], faults, list(self.latency), found=__version__)


def sim_test(
    *,
    seeds: int = 20,
    levels: Sequence[int] = (2, 2),
    faults: Swarm | None = None,
    latency: Sequence[str] = ("local",),
    span_s: float = 1.0,
    durations: Mapping[Callable[..., Any], float] | None = None,
    marks: Sequence[str] = (),
) -> Callable[[Callable[..., Coroutine[Any, Any, None]]], Callable[..., None]]:
    """Make a test of ``async def test(sim, …)``, to be collected by pytest: it runs on simulated clusters, one a seed.

    The cluster consists of triort's real server, managers and workers; virtual are their processes, the time and the
    wire. Inside, real time, randomness, threads and sockets raise an error that names what to use instead. Other
    arguments are handed on, so ``@given(…)`` of Hypothesis works around it.

    Args:
        seeds: how many seeds; the environment variable TRIORT_SIM_SEEDS overrides it, TRIORT_SIM_SEED runs one alone,
            and TRIORT_SIM_PLAN the plan that a failure has left in a file.
        levels: the tree: managers of the first level, of the next, …, workers of each of the last. (3, 4) is three
            managers of four workers, (2,) a server with two workers.
        faults: faults that come by themselves: `Faults.swarm`, `Faults.only`; none by default.
        latency: the class of the links, by level: memory, local, lan, wan, tail; client links first.
        span_s: within how many virtual seconds from the start these faults come.
        durations: how many virtual seconds a sync function holds its CPU; others draw about 10 ms.
        marks: names given to `sometimes` that must have held in at least one seed.

    The test raises `SimulatedTestFailed`.
    """
    tree = tuple(levels)
    if not tree or any(not isinstance(fan_out, int) or fan_out < 1 for fan_out in tree):
        raise UsageError(f"levels are numbers of nodes, as in (3, 4), not {levels!r}")
    if seeds < 1:
        raise UsageError(f"a simulated test needs at least one seed, not {seeds!r}")

    def decorate(fn: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
        if not inspect.iscoroutinefunction(fn):
            raise UsageError(f"{fn.__qualname__} is no async function; write: async def {fn.__name__}(sim)")
        chosen = Faults.none() if faults is None else faults
        given = dict(durations or {})
        settings = Settings(seeds, tree, chosen, tuple(latency), span_s, given, tuple(marks), fn)

        @functools.wraps(fn)
        def test(*args: Any, **kwargs: Any) -> None:
            __tracebackhide__ = True
            _run_all(settings, args, kwargs)

        signature = inspect.signature(fn)
        rest = list(signature.parameters.values())[1:]
        test.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]
        del test.__wrapped__  # pytest and Hypothesis would take ``sim`` for something of theirs
        return test

    return decorate


def _run_all(settings: Settings, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    __tracebackhide__ = True
    reached: dict[str, bool] = dict.fromkeys(settings.marks, False)
    plans = _plans(settings)
    for number, plan in enumerate(plans):
        ended = _once(settings, plan, args, kwargs)
        if ended.error is not None:
            _tell(settings, ended, args, kwargs)
        if number % TWICE_EVERY == 0:
            _compare(settings, ended, _once(settings, plan, args, kwargs))
        for name, held in ended.reached.items():
            reached[name] = reached.get(name, False) or held
    never = sorted(name for name, held in reached.items() if not held)
    if never and len(plans) >= settings.seeds:
        raise SimulatedTestFailed(
            f"in {len(plans)} seeds of {settings.fn.__qualname__} this was never so: {', '.join(never)}; "
            "try more seeds, other faults, or a load that leads there"
        )


def _plans(settings: Settings) -> list[Plan]:
    path = os.environ.get(PLAN)
    if path:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{PLAN}={path}: {error.strerror}") from None
        return [load_plan(text, path)]
    if os.environ.get(SEED):
        return [settings.plan(_number(SEED))]
    count = _number(SEEDS) if os.environ.get(SEEDS) else settings.seeds
    return [settings.plan(seed) for seed in range(count)]


def _number(variable: str) -> int:
    text = os.environ[variable]
    if not text.isdigit():
        raise UsageError(f"{variable} is a number, not {text!r}")
    return int(text)


def _once(settings: Settings, plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> UserRun:
    return run_user_test(plan, settings.fn, args, kwargs, settings.durations)


def _compare(settings: Settings, one: UserRun, two: UserRun) -> None:
    if one.run.trace_hash != two.run.trace_hash:
        parting = compare_runs(one.run, two.run, ("first time", "second time"))
        raise SimulatedTestFailed(
            f"{settings.fn.__qualname__} is not deterministic: seed {one.run.plan.seed} went two ways, so no failure of "
            f"it could be replayed. Look for sets, hash(), id(), state that outlives a run.\n{parting}"
        )


def _tell(settings: Settings, ended: UserRun, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Shrink what has failed, write it down, and raise it."""

    __tracebackhide__ = True
    if isinstance(ended.error, UsageError):
        raise ended.error

    def fails(plan: Plan) -> Violation | None:
        if plan.tree != ended.run.plan.tree:
            return None  # the test calls its nodes by name
        return _once(settings, plan, args, kwargs).run.violation

    small = shrink(ended.run.plan, fails, recorded=ended.run.script, budget_s=SHRINK_S)
    least = _once(settings, small.plan, args, kwargs)
    last = least if least.error is not None else ended
    passing = _passing(settings, last.run, args, kwargs)
    folder = Path(REPORTS) / f"{settings.fn.__name__}-{ended.run.plan.seed}"
    files = write_reports(last.run, folder)
    (plan_file,) = [file for file in files if file.name.endswith(".plan.json")]
    line = f"{PLAN}={plan_file} pytest -k {settings.fn.__name__}"
    text = show_failure(ended.run, shrunk=last.run, passing=passing, replay_line=line, files=files)
    raise SimulatedTestFailed(text) from last.error


def _passing(settings: Settings, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Run | None:
    """A run that differs little and passes, to compare with."""
    plan = run.plan
    others = [attrs.evolve(settings, faults=Faults.none()).plan(plan.seed)]
    if plan.faults:
        import msgspec

        others.insert(0, msgspec.structs.replace(plan, faults=plan.faults[:-1]))
    for other in others:
        ended = _once(settings, other, args, kwargs)
        if ended.error is None:
            return ended.run
    return None
