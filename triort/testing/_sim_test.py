"""The decorator that makes a simulated test of an async function, and what it says about wrong arguments."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from triort._model.errors import UsageError
from triort.testing._plan.swarm import FEATURES, Faults, Swarm
from triort.testing._user_run import UserTest, full_name
from triort.testing._user_seeds import Settings, run_seeds

SIM = "sim"
OF_JOBS = ("cancel_job", "cancel_storm", "cancel_race", "client_death", "duplicate_client")
"""Faults that hit the jobs of a plan; those of a test are its own."""

Test = Callable[..., Coroutine[Any, Any, None]]


def sim_test(
    *no_function: object,
    seeds: int = 20,
    levels: Sequence[int] = (2, 2),
    faults: Swarm | None = None,
    latency: Sequence[str] = ("local",),
    span_s: float = 1.0,
    durations: Mapping[Callable[..., Any], float] | None = None,
    marks: Sequence[str] = (),
    buggify: Sequence[str] = (),
) -> Callable[[Test], Callable[..., None]]:
    """Make a test of ``async def test(sim, …)``, to be collected by pytest: it runs on simulated clusters, one a seed.

    The cluster consists of triort's real server, managers and workers; virtual are their processes, the time and the
    wire. Inside, real time, randomness, threads and sockets raise an error that names what to use instead. Other
    arguments are handed on, so fixtures, parameters and ``@given(…)`` of Hypothesis work around it.

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
        buggify: names given to `buggify`; each is on in half of the seeds, more or less often.

    The test raises `SimulatedTestFailed`.
    """
    if no_function:
        raise UsageError("sim_test takes names only, and brackets even if there are none: @sim_test(seeds=20)")
    settings = Settings(
        _count("seeds", seeds),
        _tree(levels),
        _swarm(faults),
        _names("latency", latency),
        _seconds("span_s", span_s),
        _names("marks", marks),
        _names("buggify", buggify),
    )
    given = _durations(durations or {})
    settings.plan(0)  # tells what is wrong with it

    return functools.partial(_make_test, settings, given)


def _make_test(settings: Settings, durations: Mapping[str, float], fn: Test) -> Callable[..., None]:
    signature = _signature(fn)
    rest = [parameter for name, parameter in signature.parameters.items() if name != SIM]
    own_signature = signature.replace(parameters=rest)

    @functools.wraps(fn)
    def test(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        arguments = own_signature.bind(*args, **kwargs)
        arguments.apply_defaults()
        run_seeds(settings, UserTest(fn, dict(arguments.arguments), durations))

    test.__signature__ = own_signature  # type: ignore[attr-defined]
    del test.__wrapped__  # pytest and Hypothesis would take ``sim`` for something of theirs
    return test


def _signature(fn: Any) -> inspect.Signature:
    signature = inspect.signature(fn) if inspect.iscoroutinefunction(fn) else inspect.Signature()
    if SIM not in signature.parameters:
        name = getattr(fn, "__name__", "test")
        raise UsageError(f"sim_test makes a test of an async function; write: async def {name}({SIM})")
    return signature


def _count(what: str, number: Any) -> int:
    if not isinstance(number, int) or number < 1:
        raise UsageError(f"{what} is a number of {what}, 1 or more, not {number!r}")
    return number


def _seconds(what: str, seconds: Any) -> float:
    if not isinstance(seconds, int | float) or not seconds > 0:
        raise UsageError(f"{what} is a number of virtual seconds, more than 0, not {seconds!r}")
    return seconds


def _tree(levels: Any) -> tuple[int, ...]:
    if not isinstance(levels, list | tuple) or not all(isinstance(each, int) for each in levels):
        raise UsageError(f"levels are numbers of nodes, as in (3, 4), not {levels!r}")
    return tuple(levels)


def _swarm(faults: Any) -> Swarm:
    chosen = Faults.none() if faults is None else faults
    if not isinstance(chosen, Swarm) or set(chosen.names) & set(FEATURES):
        raise UsageError(f"faults are Faults.swarm(), Faults.only(…) or Faults.none(), not {faults!r}")
    for name in OF_JOBS:
        if name in chosen.names and chosen.chance == 1.0:
            raise UsageError(f"{name} hits the jobs of a plan, and a test has its own: let the test do it")
    return chosen


def _durations(durations: Any) -> dict[str, float]:
    for call, duration_s in durations.items():
        if not callable(call) or inspect.iscoroutinefunction(call) or not _is_duration(duration_s):
            raise UsageError(f"durations are of sync functions, in virtual seconds, not {call!r}: {duration_s!r}")
    return {full_name(call): duration_s for call, duration_s in durations.items()}


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value < math.inf


def _names(what: str, names: Any) -> tuple[str, ...]:
    if isinstance(names, str):
        raise UsageError(f"{what} is a list of names; write: {what}=[{names!r}]")
    return tuple(names)
