"""What a user's test raises in a simulated run: what counts as its failure, where that is, and how it is shown."""

from __future__ import annotations

import re
from pathlib import Path
from types import FrameType, TracebackType

from triort._model.errors import UsageError
from triort.testing._events import Violation
from triort.testing._trio.failures import Deadlock, SimulationError
from triort.testing._trio.origins import Origin, origins

_PLACE_OUTSIDE = re.compile(r"(?<![\w.])(?!trio\.|triort\.)[\w.]+:\d+ ")
"""A line of a module that is not ours, in what a `Deadlock` tells of a task."""


def is_no_failure(error: BaseException) -> bool:
    """Whether it is to be raised as it is: a wrong use, Ctrl-C, a skip, what Hypothesis raises for itself."""
    if isinstance(error, UsageError):
        return True
    if isinstance(error, Exception):
        return type(error).__module__.partition(".")[0] == "hypothesis"
    return type(error).__name__ != "Failed"  # pytest.fail, and what pytest.raises calls


def innermost(error: BaseException) -> BaseException:
    """The first of a group, and of a group in it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def as_violation(error: BaseException, now_s: float) -> Violation:
    """The failure as a check that has failed: named by the error and the line that it has passed last."""
    error = innermost(error)
    frames = [each for each in _tracebacks(error) if _is_under_test(each.tb_frame)]
    place = f" at {Path(frames[-1].tb_frame.f_code.co_filename).name}:{frames[-1].tb_lineno}" if frames else ""
    return Violation(type(error).__name__ + place, str(error), now_s)


def violation_of_run(error: SimulationError, now_s: float) -> Violation:
    """The run could not go on. Of blocked tasks, those are told that wait somewhere in code under test."""
    text = str(error)
    if isinstance(error, Deadlock):
        found = [(line, _PLACE_OUTSIDE.search(line)) for line in error.blocked]
        waiting = [f"  {line[place.start() :]}" for line, place in found if place is not None]
        text = "\n".join([text.splitlines()[0], *waiting])
    return Violation(type(error).__name__.lower(), text, now_s)


def as_the_test_saw_it(error: BaseException) -> BaseException:
    """The error, with a traceback that begins and ends in code under test."""
    own = [each for each in _tracebacks(error) if _is_under_test(each.tb_frame)]
    if own:
        own[-1].tb_next = None
        return error.with_traceback(own[0])
    return error.with_traceback(None)


def _tracebacks(error: BaseException) -> list[TracebackType]:
    found = []
    traceback = error.__traceback__
    while traceback is not None:
        found.append(traceback)
        traceback = traceback.tb_next
    return found


def _is_under_test(frame: FrameType) -> bool:
    return origins(()).of(frame.f_code.co_filename) is Origin.CODE_UNDER_TEST
