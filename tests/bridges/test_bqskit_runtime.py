"""What passes find in triort's workers is what they find in BQSKit's own."""

import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("bqskit", reason="BQSKit is not installed: pip install 'triort[bqskit]'")

from bqskit import Circuit

from tests.bridges import bqskit_passes as passes
from triort.bridges.bqskit import Compiler

pytestmark = pytest.mark.processes


def out(compiler: Any, fn: Any, *args: Any) -> Any:
    _, data = compiler.compile(Circuit(1), [passes.Call(fn, *args)], request_data=True)
    return data["out"]


def test_tasks_have_children_that_have_children(compiler):
    assert out(compiler, passes.two_levels, 50) == [[x * x, (x + 1) ** 2] for x in range(50)]
    assert out(compiler, passes.keywords) == [3, [14, 16]]


def test_next_gives_what_has_come_since_the_last_call(compiler):
    came, in_batches, then, values, at_last = out(compiler, passes.as_they_come)
    assert came == [(0, 0.2), (1, 0.0), (2, 0.1)]
    assert in_batches
    assert then == []
    assert values == [0.2, 0.0, 0.1]
    assert at_last == "Cannot wait on an already completed result."


def test_what_is_not_allowed_raises_as_in_bqskit(compiler):
    assert out(compiler, passes.misuse) == [
        "Cannot await on a canceled task.",
        "Cannot await on a canceled task.",
        "Cannot wait on an already completed result.",
        "RuntimeError: Unable to map 0 tasks.",
        "RuntimeError: task_name must be a string.",
        "RuntimeError: log_context must be a map from strings to strings.",
        "RuntimeError: task_name must be a string or a list of strings equal in length to the number of tasks.",
        "RuntimeError: log_context must be a dictionary or a list of dictionaries equal in length to the number"
        " of tasks.",
        "NotImplementedError: These future objects must be awaited in the same task that created them. They cannot be"
        " inputted to other tasks.",
        "KeyError: 'this future has been awaited or cancelled already'",
    ]


def test_what_dill_can_pickle_may_be_submitted(compiler):
    assert out(compiler, passes.locks) == [9, True, [True, True], 0]


def test_what_cannot_be_pickled_raises_as_in_bqskit_and_names_the_argument(compiler):
    assert out(compiler, passes.generator_as_argument) == [
        "cannot pickle 'generator' object",
        "argument 1 of square (generator) cannot be pickled: TypeError: cannot pickle 'generator' object",
    ]


def test_futures_tell_whether_they_are_done(compiler):
    assert out(compiler, passes.is_done) == [False, True]


def test_messages_reach_running_children(compiler):
    assert out(compiler, passes.tell) == [[{"to": "both"}], [{"to": "both"}]]


def test_a_worker_has_a_cache(compiler):
    assert out(compiler, passes.cache) == 5


def test_children_that_are_open_when_a_task_ends_are_cancelled(compiler, tmp_path: Path):
    start = time.monotonic()
    assert out(compiler, passes.leave_children, str(tmp_path / "mark"))
    assert time.monotonic() - start < 20
    assert out(compiler, passes.two_levels, 8) is not None


def test_a_parent_may_catch_what_a_child_raises(compiler):
    assert out(compiler, passes.caught_failure) == "too bad"


def test_a_task_may_run_an_event_loop_of_its_own(compiler):
    assert out(compiler, passes.own_loop) == 11


def test_workers_draw_different_random_numbers():
    with Compiler(num_workers=2) as compiler:
        one, other = out(compiler, passes.first_numbers)
    assert one != other


def test_a_worker_that_dies_costs_a_retry_and_not_the_compilation(tmp_path: Path):
    with Compiler(num_workers=2) as compiler:
        assert out(compiler, passes.die_once, str(tmp_path / "died")) == 7


def test_any_worker_may_be_killed_while_children_run():
    with Compiler(num_workers=2) as compiler:
        work = [passes.Call(passes.two_levels, 3), passes.Call(passes.tell)]
        task = compiler.submit(Circuit(1), work, request_data=True)
        psutil.Process(compiler.p.pid).children()[0].send_signal(signal.SIGKILL)
        assert compiler.result(task)[1]["out"] == [[{"to": "both"}], [{"to": "both"}]]
