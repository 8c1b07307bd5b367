"""Runs a user's test on its seeds, and tells of the first one that fails.

A seed becomes a plan (tree, faults, latencies, schedule), and the plan a run. The first seed, and one of twenty, runs
twice: if the two differ, the code under test is not deterministic, and no failure of it could be replayed. A run that
fails is shrunk, written down as a plan, and told with the line that replays it. Hypothesis calls a test many times and
shrinks what it has drawn itself, so below it a failure is told as it is.
"""

from __future__ import annotations

import os
import re
import sys
import zlib
from pathlib import Path
from typing import NoReturn

import attrs
import msgspec

from triort._model.errors import UsageError
from triort._version import __version__
from triort.testing._events import Violation
from triort.testing._plan.check import check_plan
from triort.testing._plan.codec import load_plan
from triort.testing._plan.draws import Draws
from triort.testing._plan.faults import draw_faults
from triort.testing._plan.plan import PLAN_VERSION, Plan
from triort.testing._plan.swarm import Swarm
from triort.testing._report.divergence import compare_runs
from triort.testing._report.files import write_reports
from triort.testing._report.story import show_failure
from triort.testing._run import Run
from triort.testing._shrink.shrink import shrink
from triort.testing._user_errors import as_the_test_saw_it, innermost, is_no_failure
from triort.testing._user_run import UserRun, UserTest, run_user_test

SHRINK_S = 20.0
TWICE_EVERY = 20
REPORTS = "sim-failures"
FOLDER_CHARS_MAX = 80
SEED, SEEDS, PLAN = "TRIORT_SIM_SEED", "TRIORT_SIM_SEEDS", "TRIORT_SIM_PLAN"


class SimulatedTestFailed(AssertionError):
    """A simulated test has failed: the text tells on which seed, how to replay it, and what led to it. Its cause is
    what the test has raised."""


SimulatedTestFailed.__module__ = "triort.testing"


@attrs.frozen
class Settings:
    """What `sim_test` was given."""

    seeds: int
    levels: tuple[int, ...]
    faults: Swarm
    latency: tuple[str, ...]
    span_s: float
    marks: tuple[str, ...]
    buggify: tuple[str, ...]

    def plan(self, seed: int, test: str = "") -> Plan:
        """The plan of a seed; raises `UsageError` if the settings make no sense."""
        draws = Draws(seed)
        points = [point for point in self.buggify if draws.chance(0.5, "buggify", point, "on")]
        often = {point: round(draws.unit("buggify", point, "often"), 3) for point in points}
        plan = Plan(
            PLAN_VERSION, seed, list(self.levels), [], [], list(self.latency), often, found=__version__, test=test
        )
        check_plan(plan, "sim_test")
        faults = draw_faults(draws, self.faults, self.levels, [], self.span_s)
        return msgspec.structs.replace(plan, faults=faults)


def run_seeds(settings: Settings, test: UserTest) -> None:
    """Run all that is to run; raises `SimulatedTestFailed`."""
    __tracebackhide__ = True
    reached: dict[str, bool] = dict.fromkeys(settings.marks, False)
    if os.environ.get(PLAN):
        _replay(test, os.environ[PLAN])
        return
    plans = _plans(settings, test)
    for number, plan in enumerate(plans):
        ended = run_user_test(plan, test)
        if ended.error is not None:
            _fail(test, ended)
        if number % TWICE_EVERY == 0:
            _compare(test, ended, run_user_test(plan, test))
        for name, held in ended.reached.items():
            reached[name] = reached.get(name, False) or held
        if number == len(plans) - 1:
            ended.output.release()
    never = sorted(name for name, held in reached.items() if not held)
    if never and len(plans) >= settings.seeds and not _below_hypothesis():
        raise SimulatedTestFailed(
            f"in {len(plans)} seeds of {test.fn.__qualname__} this was never so: {', '.join(never)}; "
            "try more seeds, other faults, or a load that leads there"
        )


def _replay(test: UserTest, path: str) -> None:
    """Run one plan once, with all that it says as it comes: somebody is looking."""
    __tracebackhide__ = True
    ended = run_user_test(_plan_in(path, _name(test)), test, hold_back=False)
    if ended.error is None:
        return
    if is_no_failure(innermost(ended.error)):
        raise as_the_test_saw_it(innermost(ended.error))
    _tell(test, ended, ended, None)


def _plans(settings: Settings, test: UserTest) -> list[Plan]:
    __tracebackhide__ = True
    name = _name(test)
    if os.environ.get(SEED):
        return [settings.plan(_number(SEED, 0), name)]
    count = _number(SEEDS, 1) if os.environ.get(SEEDS) else settings.seeds
    return [settings.plan(seed, name) for seed in range(count)]


def _plan_in(path: str, name: str) -> Plan:
    __tracebackhide__ = True
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text, so no plan"
        raise UsageError(f"{PLAN}={path}: {reason}") from None
    plan = load_plan(text, path)
    if not plan.test:
        raise UsageError(f"{path} is no plan of a test; replay it by: triort sim replay {path}")
    if _function(plan.test) != _function(name):
        raise UsageError(f"{path} is a plan of {plan.test}, not of {name}")
    return plan


def _name(test: UserTest) -> str:
    """The test as pytest calls it; elsewhere, as Python does."""
    name, _, phase = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")
    return name if phase == "(call)" and test.fn.__name__ in name else test.fn.__qualname__


def _function(name: str) -> str:
    return name.partition("[")[0].rpartition(":")[2].rpartition(".")[2]


def _number(variable: str, least: int) -> int:
    __tracebackhide__ = True
    text = os.environ[variable]
    if not text.isdecimal() or int(text) < least:
        raise UsageError(f"{variable} is a number, {least} or more, not {text!r}")
    return int(text)


def _below_hypothesis() -> bool:
    hypothesis = sys.modules.get("hypothesis")
    return hypothesis is not None and bool(hypothesis.currently_in_test_context())


def _compare(test: UserTest, one: UserRun, two: UserRun) -> None:
    __tracebackhide__ = True
    if one.run.trace_hash != two.run.trace_hash or (one.error is None) != (two.error is None):
        one.output.release()
        parting = compare_runs(one.run, two.run, ("first time", "second time"))
        raise SimulatedTestFailed(
            f"{test.fn.__qualname__} is not deterministic: seed {one.run.plan.seed} went two ways, so no failure of "
            f"it could be replayed. Look for sets, hash(), id(), state that outlives a run.\n{parting}"
        ) from _cause(one)


def _fail(test: UserTest, ended: UserRun) -> NoReturn:
    """Shrink what has failed, and raise it."""
    __tracebackhide__ = True
    error = ended.error
    assert error is not None
    if is_no_failure(innermost(error)):
        ended.output.release()
        raise as_the_test_saw_it(innermost(error))
    _compare(test, ended, run_user_test(ended.run.plan, test))
    least, passing = ended, None
    if not _below_hypothesis():
        least = _smallest(test, ended)
        passing = _passing(test, least.run.plan)
    least.output.release()
    _tell(test, ended, least, passing)


def _tell(test: UserTest, ended: UserRun, least: UserRun, passing: Run | None) -> NoReturn:
    __tracebackhide__ = True
    files = write_reports(least.run, Path(REPORTS) / f"{_folder(ended.run.plan.test, test)}-{ended.run.plan.seed}")
    plan_file = next(file for file in files if file.name.endswith(".plan.json"))
    line = f"{PLAN}={plan_file} pytest {_quoted(ended.run.plan.test)}"
    shrunk = least.run if least is not ended else None
    text = show_failure(ended.run, shrunk=shrunk, passing=passing, replay_line=line, files=files)
    raise SimulatedTestFailed(text) from _cause(least)


def _folder(name: str, test: UserTest) -> str:
    """Where the reports go: of each test, and of each of its parameters, somewhere else. What would not do as the name
    of a folder is replaced; the hash keeps such names apart."""
    last = name.rpartition("/")[2].partition("::")[2] or test.fn.__name__
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", last).strip("-")[:FOLDER_CHARS_MAX]
    return plain if plain == test.fn.__name__ else f"{plain}-{zlib.crc32(name.encode()):08x}"


def _quoted(name: str) -> str:
    return f"'{name}'" if "[" in name else name


def _cause(ended: UserRun) -> BaseException | None:
    """What the test has raised; a check's own words are in the text already."""
    if ended.error is None or isinstance(ended.error, Violation):
        return None
    return as_the_test_saw_it(ended.error)


def _smallest(test: UserTest, ended: UserRun) -> UserRun:
    """The run of the smallest plan that fails in the same way."""

    def fails(plan: Plan) -> Violation | None:
        return run_user_test(plan, test).run.violation

    def recorded(plan: Plan) -> dict[int, list[int]]:
        return run_user_test(plan, test).run.script

    small = shrink(ended.run.plan, fails, recorded=recorded, budget_s=SHRINK_S)
    least = run_user_test(small.plan, test)
    return least if least.error is not None else ended


def _passing(test: UserTest, plan: Plan) -> Run | None:
    """A run that differs little and passes, to compare with."""
    fewer = [msgspec.structs.replace(plan, faults=plan.faults[:-1])] if plan.faults else []
    for other in (*fewer, msgspec.structs.replace(plan, faults=[], schedule="random", script={})):
        ended = run_user_test(other, test)
        if ended.error is None:
            return ended.run
    return None
