"""Plans on simulated clusters of real nodes: what tasks do, what faults do, and that checks fail runs."""

from __future__ import annotations

import pytest

from triort._model.limits import GRACE_S
from triort.testing._checkers import all_checkers
from triort.testing._events import Event, Kind, Outcome
from triort.testing._plan.plan import CAUGHT, Batch, Compute, Fault, FaultKind, Job, Listen, Plan, Say, Task
from triort.testing._run import Checker, Run
from triort.testing._tier2.run import run_tier2

HOWS = ["map", "next", "as_completed", "submit", "nursery"]


def make_plan(*tasks: Task, tree: tuple[int, ...] = (2, 2), faults: tuple[Fault, ...] = (), seed: int = 1) -> Plan:
    return Plan(2, seed, list(tree), [Job("j0", list(tasks))], list(faults))


def parent(*children: Task, is_async: bool = True, after: float = 0.0, **batch: object) -> Task:
    steps: list[Compute | Listen | Say | Batch] = [Compute(1e-3), Batch(list(children), **batch)]  # type: ignore[arg-type]
    return Task("j0.0", [*steps, Compute(after)] if after else steps, is_async)


def leaves(count: int, seconds: float = 1e-3, is_async: bool = True) -> list[Task]:
    return [Task(f"j0.0.1.{number}", [Compute(seconds)], is_async) for number in range(count)]


def play(plan: Plan) -> Run:
    run = run_tier2(plan, keep_all=True)
    assert run.violation is None, str(run.violation)
    return run


def told(run: Run, kind: Kind, node: str = "") -> list[Event]:
    return [event for event in run.events if event.kind is kind and node in ("", event.node)]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
def test_a_batch_gives_the_same_however_it_is_submitted(how: str, is_async: bool) -> None:
    run = play(make_plan(parent(*leaves(5, is_async=is_async), is_async=is_async, how=how)))
    assert run.outcomes["j0.0"] == Outcome("value", 6)


def test_a_failed_child_is_caught_and_its_siblings_are_cancelled() -> None:
    bad = Task("j0.0.1.0", [Compute(1e-3)], fails=-1)
    run = play(make_plan(parent(bad, *leaves(3, 10.0)[1:], catch=True), tree=(4,)))
    assert run.outcomes["j0.0"] == Outcome("value", 1 + CAUGHT)
    assert run.outcomes["j0.0.1.1"] == run.outcomes["j0.0.1.2"] == Outcome("cancelled")


def test_a_task_that_raises_is_run_again_as_often_as_it_may() -> None:
    run = play(make_plan(parent(Task("j0.0.1.0", [], fails=2), retries=2)))
    assert run.outcomes["j0.0"] == Outcome("value", 2)
    assert len([event for event in told(run, Kind.START) if event.what == "j0.0.1.0"]) == 3


def test_a_sync_task_holds_its_cpu_for_virtual_time_and_a_cancel_interrupts_it() -> None:
    plan = make_plan(Task("j0.0", [Compute(100.0)], is_async=False), tree=(1,), faults=(
        Fault(1.0, FaultKind.CANCEL_JOB, "j0"),
    ))  # fmt: skip
    run = play(plan)
    assert run.outcomes["j0.0"] == Outcome("cancelled")
    assert 1.0 < told(run, Kind.END)[0].time_s < 1.05
    assert told(run, Kind.END)[0].detail == "cancelled"


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
def test_a_stubborn_task_costs_its_worker_after_the_grace_time(is_async: bool) -> None:
    plan = make_plan(Task("j0.0", [Compute(100.0)], is_async, stubborn=True), tree=(1,), faults=(
        Fault(1.0, FaultKind.CANCEL_JOB, "j0"),
    ))  # fmt: skip
    run = play(plan)
    [end] = told(run, Kind.END)
    assert end.detail == "killed"
    assert 1.0 + GRACE_S <= end.time_s < 1.1 + GRACE_S + 0.5
    assert told(run, Kind.BORN, "s.w2") != []


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
def test_poison_is_blamed_and_crashes_for_good_after_its_limit(is_async: bool) -> None:
    task = parent(Task("j0.0.1.0", [Compute(1e-3)], is_async, poison=-1), crash_limit=2, catch=True)
    run = play(Plan(2, 1, [3], [Job("j0", [task], crash_limit=2)]))
    assert run.outcomes["j0.0"] in (Outcome("value", 1 + CAUGHT), Outcome("crashed"))
    assert len([event for event in told(run, Kind.DIED) if event.detail == "signal 9" and event.time_s < 1]) in (2, 3)


def test_a_task_hears_its_parent_in_order_and_says_what_it_says() -> None:
    child = Task("j0.0.1.0", [Listen(3), Say(2)])
    assert play(make_plan(parent(child, talk=3, shared=True))).outcomes["j0.0"] == Outcome("value", 2)


def test_a_dead_worker_is_replaced_and_its_task_runs_again() -> None:
    run = play(make_plan(Task("j0.0", [Compute(1.0)]), tree=(1,), faults=(
        Fault(0.5, FaultKind.CRASH_WORKER, "s.w1"),
    )))  # fmt: skip
    assert [(event.node, event.what) for event in told(run, Kind.START)] == [("s.w1", "j0.0"), ("s.w2", "j0.0")]
    assert run.outcomes["j0.0"] == Outcome("value", 1)


@pytest.mark.parametrize("kind", [FaultKind.CRASH_MANAGER, FaultKind.CUT, FaultKind.CLOSE])
def test_what_a_lost_manager_had_is_done_by_the_others(kind: FaultKind) -> None:
    run = play(make_plan(parent(*leaves(20, 0.1)), faults=(Fault(0.15, kind, "m0"),)))
    assert run.outcomes["j0.0"] == Outcome("value", 21)
    assert "m0" in {event.node for event in told(run, Kind.DIED)}


@pytest.mark.parametrize(("tree", "target"), [((1, 2), "m0"), ((1, 1, 2), "m0"), ((1, 1, 2), "m0.m0")])
def test_a_manager_that_was_killed_is_started_again_and_its_boss_waits_for_it(
    tree: tuple[int, ...], target: str
) -> None:
    crash = Fault(0.15, FaultKind.CRASH_MANAGER, target, for_s=3.0)
    run = play(make_plan(parent(*leaves(10, 0.1)), tree=tree, faults=(crash,)))
    assert run.outcomes["j0.0"] == Outcome("value", 11)
    assert [event.time_s for event in told(run, Kind.BORN, target)][1:] == [pytest.approx(3.15)]


def test_a_manager_that_has_lost_its_boss_serves_the_next_one_with_fresh_workers() -> None:
    corrupt = Fault(0.15, FaultKind.CORRUPT_FRAME, "m0", side="employee")
    run = play(make_plan(parent(*leaves(10, 0.1)), tree=(1, 2), faults=(corrupt,)))
    assert run.outcomes["j0.0"] == Outcome("value", 11)
    assert len(told(run, Kind.BORN, "m0")) == 1
    assert {"m0.w3", "m0.w4"} <= {event.node for event in told(run, Kind.BORN)}


def test_a_fault_without_a_target_misses_and_is_told() -> None:
    run = play(make_plan(*leaves(1), faults=(Fault(0.0, FaultKind.CUT, "m7"),)))
    assert run.missed == 1
    assert [(event.node, event.detail) for event in told(run, Kind.FAULT)] == [("m7", "missed")]


def test_managers_and_workers_join_while_work_goes_on() -> None:
    faults = (Fault(0.1, FaultKind.JOIN_WORKER, "m0"), Fault(0.1, FaultKind.JOIN_MANAGER, "s", factor=3.0))
    run = play(make_plan(parent(*leaves(60, 0.1)), faults=faults))
    busy = {event.node for event in told(run, Kind.START)}
    assert {"m0.w3", "m1001.w1", "m1001.w2", "m1001.w3"} <= busy


class Canary(Checker):
    name = "canary"
    kinds = frozenset({Kind.SETTLE})

    def see(self, event: Event) -> None:
        self.fail(f"{event.what} has settled")


def test_a_failed_check_ends_the_run_and_is_what_it_ended_with() -> None:
    plan = make_plan(*leaves(1))
    run = run_tier2(plan, checkers=[*all_checkers(plan), Canary()])
    assert str(run.violation) == "canary: j0.0.1.0 has settled"


def test_two_runs_of_a_plan_are_the_same_to_the_last_event() -> None:
    plan = make_plan(parent(*leaves(20)), faults=(Fault(0.002, FaultKind.CRASH_WORKER, "m0.w1"),))
    assert play(plan).events == play(plan).events
    assert play(plan).trace_hash != play(make_plan(parent(*leaves(20)), seed=2)).trace_hash


def test_sync_tasks_that_compute_at_the_same_time_do_not_meet() -> None:
    """After a hold the worker is the current one again, though others have been on their CPUs meanwhile."""
    task = parent(*[Task(f"j0.0.1.{n}", [Compute(0.1), Compute(0.1), Say(1)], is_async=False) for n in range(4)])
    run = play(make_plan(task, tree=(2,)))
    assert run.outcomes["j0.0"] == Outcome("value", 5)
