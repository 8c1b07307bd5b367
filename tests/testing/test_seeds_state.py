"""The state at a time: a run is stopped there, and its events tell who lives, what runs and what is open."""

import pytest

from triort.testing._checkers import all_checkers
from triort.testing._events import Event, Kind
from triort.testing._plan.plan import Batch, Compute, Fault, FaultKind, Job, Plan, Task
from triort.testing._run import Run
from triort.testing._seeds.state import NAMES_MAX, State, Until, show_state
from triort.testing._seeds.trials import run_plan

TASK = Task("j0.0", [Batch([Task("j0.0.0.0", [Compute(0.4)]), Task("j0.0.0.1", [Compute(0.2)])])])
PLAN = Plan(2, 3, [2], [Job("j0", [TASK])], [Fault(0.1, FaultKind.CRASH_WORKER, "s.w2")], ["memory"])


def stopped(tier: int, until_s: float) -> tuple[Run, bool]:
    until = Until(until_s)
    run = run_plan(PLAN, tier, keep_all=True, more_checkers=[until])
    return (until.cut(run), True) if until.has_stopped else (run, False)


@pytest.mark.parametrize("tier", [1, 2])
def test_a_run_is_stopped_behind_the_last_event_of_the_time(tier: int) -> None:
    run, has_stopped = stopped(tier, 0.3)
    assert has_stopped
    assert run.violation is None
    assert max(event.time_s for event in run.events) <= 0.3
    whole = run_plan(PLAN, tier, keep_all=True)
    assert run.events == [event for event in whole.events if event.time_s <= 0.3]
    assert run.num_events == len(run.events) < whole.num_events


@pytest.mark.parametrize("tier", [1, 2])
def test_the_state_is_what_goes_on_at_that_time(tier: int) -> None:
    before, after = (State.after(stopped(tier, when)[0].events) for when in (0.05, 0.15))
    assert list(before.running.values()).count("j0.0") == 1
    assert {"s", "s.w1", "s.w2"} <= before.nodes.keys()
    assert "s.w2" not in after.nodes
    assert all(worker != "s.w2" for worker, _ in after.running)
    assert (list(before.open_jobs), list(after.open_jobs)) == (["j0"], ["j0"])
    assert set(before.open_tasks) == {"j0.0", "j0.0.0.0", "j0.0.0.1"}


@pytest.mark.parametrize("tier", [1, 2])
def test_a_run_that_ends_before_is_not_stopped_and_nothing_is_open_then(tier: int) -> None:
    run, has_stopped = stopped(tier, 1000.0)
    assert not has_stopped
    assert run.trace_hash == run_plan(PLAN, tier).trace_hash
    state = State.after(run.events)
    assert (state.running, state.open_tasks, state.open_jobs) == ({}, {}, {})


def test_what_has_failed_before_comes_first() -> None:
    plan = Plan(2, 3, [2], PLAN.jobs, heal_s=1e-3)
    until = Until(10.0)
    run = run_plan(plan, 2, more_checkers=[until])
    assert run.violation is not None
    assert run.violation.check == "liveness"
    assert len(all_checkers(plan)) > 5


def test_the_state_is_shown_in_lines_with_natural_order_and_a_bound() -> None:
    events = [Event(0.0, Kind.BORN, f"m{number}") for number in reversed(range(NAMES_MAX + 3))]
    events += [Event(0.0, Kind.SUBMIT, "c0", "j0.0", "j0"), Event(0.0, Kind.START, "m0.w1", "j0.0", number=7)]
    assert show_state(events).splitlines() == [
        f"nodes       {', '.join(f'm{number}' for number in range(NAMES_MAX))} and 3 more",
        "running     j0.0 on m0.w1",
        "open jobs   j0",
        "open tasks  j0.0",
    ]
    events += [Event(0.1, Kind.END, "m0.w1", "j0.0", number=7), Event(0.1, Kind.SETTLE, "c0", "j0.0"),
               Event(0.1, Kind.JOB, "c0", "j0")]  # fmt: skip
    assert show_state(events).splitlines()[1:] == ["running     none", "open jobs   none", "open tasks  none"]
