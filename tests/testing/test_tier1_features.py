"""What scripted tasks do on the pure cores: each feature of a plan by name, as the product does it."""

from __future__ import annotations

import pytest

from tests.testing.tier1_plans import FORMS, ends_of, events, leaves, of_jobs, outcomes_of, parent, plan, ran
from triort._model.limits import GRACE_LOOK_S, GRACE_S
from triort.testing._checkers.tables_empty import TablesEmpty
from triort.testing._events import Kind
from triort.testing._plan.plan import CAUGHT, Batch, Compute, Job, Listen, Plan, Say, Task
from triort.testing._run import Trace
from triort.testing._tier1.cluster import Cluster
from triort.testing._tier1.run import run_tier1

forms = pytest.mark.parametrize("is_async", FORMS.values(), ids=FORMS)


@forms
def test_values_add_up_over_all_levels(is_async: bool) -> None:
    inner = parent("j0.0.1.0", Batch(leaves("j0.0.1.0.1", 3, is_async=is_async)), is_async=is_async)
    root = parent("j0.0", Batch([inner, *leaves("j0.0.1.9", 2)]), is_async=is_async)
    run = ran(plan([root]))
    assert outcomes_of(run)["j0.0"] == "value 7"
    assert ends_of(run) == {"j0": "value"}


@pytest.mark.parametrize("how", ["map", "next", "as_completed", "submit", "nursery"])
def test_all_ways_to_submit_and_wait_end_alike(how: str) -> None:
    assert outcomes_of(ran(plan([parent("j0.0", Batch(leaves("j0.0.1", 5), how=how))])))["j0.0"] == "value 6"


@forms
def test_children_left_open_are_cancelled_when_their_parent_returns(is_async: bool) -> None:
    run = ran(plan([parent("j0.0", Batch(leaves("j0.0.1", 6, 1.0, is_async=is_async), wait=False), is_async=is_async)]))
    assert outcomes_of(run) == {f"j0.0.1.{i}": "cancelled" for i in range(6)} | {"j0.0": "value 1"}
    assert run.now_s < 1.0


@forms
def test_a_failed_child_cancels_its_siblings_and_fails_its_parent_unless_that_catches(is_async: bool) -> None:
    def family(name: str, *, catch: bool) -> Task:
        bad = Task(f"{name}.1.0", [Compute(1e-3)], is_async, fails=-1)
        batch = Batch([bad, *leaves(f"{name}.1.9", 3, 2.0, is_async=is_async)], catch=catch)
        return parent(name, batch, is_async=is_async)

    run = ran(of_jobs([Job("j0", [family("j0.0", catch=False)]), Job("j1", [family("j1.0", catch=True)])], [2, 4]))
    assert ends_of(run) == {"j0": "error", "j1": "value"}
    assert outcomes_of(run)["j1.0"] == f"value {1 + CAUGHT}"
    assert outcomes_of(run)["j0.0.1.9.0"] == "cancelled"
    assert run.now_s < 1.0


@forms
def test_a_batch_that_its_parent_cancels_raises_there(is_async: bool) -> None:
    batch = Batch(leaves("j0.0.1", 4, 5.0, is_async=is_async), cancel_after_s=0.01, catch=True)
    run = ran(plan([parent("j0.0", batch, is_async=is_async)]))
    assert outcomes_of(run)["j0.0"] == f"value {1 + CAUGHT}"
    assert set(outcomes_of(run).values()) == {f"value {1 + CAUGHT}", "cancelled"}


def test_a_cancel_of_a_batch_that_is_through_changes_nothing() -> None:
    batch = Batch(leaves("j0.0.1", 2, 1e-3), cancel_after_s=0.5)
    assert outcomes_of(ran(plan([parent("j0.0", batch)])))["j0.0"] == "value 3"


@forms
def test_children_hear_what_their_parent_says_whenever_they_start(is_async: bool) -> None:
    children = [Task(f"j0.0.1.{i}", [Compute(2e-3), Listen(3), Compute(1e-3), Listen(5)], is_async) for i in range(9)]
    assert ends_of(ran(plan([parent("j0.0", Batch(children, talk=5))]))) == {"j0": "value"}


def test_what_tasks_print_comes_to_their_client() -> None:
    made = plan([Task(f"j0.{i}", [Say(3), Compute(1e-3), Say(1)]) for i in range(4)], [2, 1, 2])
    cluster = Cluster(made, Trace())
    cluster.start()
    cluster.clients["c0"].submit(made.jobs[0])
    while len(cluster.heap):
        cluster.heap.step()
    assert cluster.clients["c0"].heard == {"j0": 16}


def test_a_shared_value_goes_to_each_worker_before_the_tasks_that_need_it() -> None:
    batches = [Batch(leaves(f"j0.0.{i}", 12, 2e-3), shared=True) for i in (1, 2)]
    run = ran(plan([parent("j0.0", *batches)], [2, 3]))
    assert any("Blobs" in event.what for event in events(run, Kind.SEND, node="s"))


def test_the_more_urgent_task_starts_first() -> None:
    urgent = Job("j1", leaves("j1", 3, 0.01, is_async=False), priority=5, at_s=0.005)
    run = ran(of_jobs([Job("j0", leaves("j0", 6, 0.01, is_async=False)), urgent], [1]))
    order = [event.what for event in events(run, Kind.START)]
    assert order[:1] == ["j0.0"]
    assert order.index("j1.2") < order.index("j0.5")


@forms
def test_a_task_that_raises_is_tried_again_as_often_as_it_may(is_async: bool) -> None:
    children = [Task(f"j0.0.1.{i}", [Compute(1e-3)], is_async, fails=i) for i in range(4)]
    run = ran(plan([parent("j0.0", Batch(children[:3], retries=2))], retries=1))
    assert [len(events(run, Kind.START, what=f"j0.0.1.{i}")) for i in range(3)] == [1, 2, 3]
    run = ran(plan([Task("j0.0", [Compute(1e-3)], is_async, fails=2)], retries=1))
    assert ends_of(run) == {"j0": "error"}


@forms
@pytest.mark.parametrize("stubborn", [False, True], ids=["obeys", "ignores it"])
def test_children_out_of_time_end_as_such(is_async: bool, stubborn: bool) -> None:
    children = [Task(f"j0.0.0.{i}", [Compute(30.0)], is_async, stubborn=stubborn) for i in range(3)]
    run = ran(plan([Task("j0.0", [Batch(children, timeout_s=0.05, wait=False), Compute(0.2)], is_async)]))
    assert outcomes_of(run)["j0.0"] == "value 1"
    assert "timeout" in {outcomes_of(run)[child.name] for child in children} <= {"timeout", "cancelled"}
    assert run.now_s < (0.3 if not stubborn else GRACE_S + 1.0)


def test_a_child_that_waits_for_a_busy_worker_is_out_of_time_at_its_deadline() -> None:
    long = Batch([Task("j0.0.1.0", [Compute(2.0)], is_async=False)], wait=False)
    late = Batch(leaves("j0.0.2", 1), timeout_s=0.1, catch=True)
    run = ran(plan([parent("j0.0", long, late)], [1]))
    (end,) = events(run, Kind.SETTLE, what="j0.0.2.0")
    assert (end.detail, 0.1 < end.time_s < 0.13) == ("timeout", True)


@forms
def test_a_job_out_of_time_ends_as_such(is_async: bool) -> None:
    made = plan([parent("j0.0", Batch(leaves("j0.0.1", 9, 3.0, is_async=is_async)), is_async=is_async)], timeout_s=0.1)
    assert ends_of(ran(made)) == {"j0": "timeout"}


def test_a_deadline_outlives_retries() -> None:
    child = Task("j0.0.1.0", [Compute(1.0)], fails=-1)
    run = ran(plan([parent("j0.0", Batch([child], timeout_s=2.5, retries=9, catch=True))]))
    assert outcomes_of(run)["j0.0.1.0"] == "timeout"
    assert len(events(run, Kind.START, what="j0.0.1.0")) == 3


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_a_poison_task_is_given_up_after_so_many_crashes(limit: int) -> None:
    run = ran(plan([Task("j0.0", [Compute(1e-3)], poison=-1)], crash_limit=limit))
    assert outcomes_of(run) == {"j0.0": "crashed"}
    assert len(events(run, Kind.START)) == limit
    assert len(events(run, Kind.DIED)) == limit


def test_a_poison_child_harms_the_ancestor_that_its_worker_was_given_once_and_then_itself() -> None:
    child = Task("j0.0.1.0", [Compute(1e-3)], poison=-1)
    run = ran(plan([parent("j0.0", Batch([child], crash_limit=9))], [1], crash_limit=2))
    assert outcomes_of(run) == {"j0.0": "error", "j0.0.1.0": "crashed"}


def test_a_task_that_may_run_once_only_is_not_tried_again() -> None:
    run = ran(plan([Task("j0.0", [Compute(1e-3)], poison=1)], at_most_once=True))
    assert outcomes_of(run) == {"j0.0": "crashed"}
    assert len(events(run, Kind.START)) == 1


def test_a_worker_lost_too_often_is_replaced_more_slowly() -> None:
    tasks = [Task(f"j0.{number}", [Compute(1e-3)], poison=1) for number in range(20)]
    run = ran(plan(tasks, [1]))
    assert set(outcomes_of(run).values()) == {"value 1"}
    assert 3.0 < run.now_s < 6.0


@forms
def test_a_task_that_ignores_its_cancel_is_killed_after_the_grace_time(is_async: bool) -> None:
    stubborn = [Task(f"j0.0.1.{i}", [Compute(60.0)], is_async, stubborn=True) for i in range(3)]
    run = ran(plan([parent("j0.0", Batch(stubborn, cancel_after_s=0.05, catch=True), is_async=is_async)], [2, 2]))
    deaths = events(run, Kind.DIED)
    assert len(deaths) == 3
    assert all(GRACE_S < event.time_s < GRACE_S + 2 * GRACE_LOOK_S + 0.1 for event in deaths)
    assert ends_of(run) == {"j0": "value"}


@forms
def test_a_task_may_end_by_itself_though_it_ignores_its_cancel(is_async: bool) -> None:
    stubborn = [Task(f"j0.0.1.{i}", [Compute(1.0), Compute(1.0)], is_async, stubborn=True) for i in range(2)]
    run = ran(plan([parent("j0.0", Batch(stubborn, cancel_after_s=0.05, catch=True), is_async=is_async)]))
    assert events(run, Kind.DIED) == []
    assert 1.9 < run.now_s < 2.5


def test_a_long_task_does_not_trap_short_ones_behind_it() -> None:
    warm = Job("j0", leaves("j0", 8, 1e-4, is_async=False))
    mixed = [Task(f"j1.{i}", [Compute(2.0 if i < 2 else 1e-4)], is_async=False) for i in range(12)]
    run = ran(of_jobs([warm, Job("j1", mixed, at_s=0.1)], [2, 2], latency="local"))
    ends = {event.what: event.time_s for event in events(run, Kind.END)}
    assert max(ends[f"j1.{i}"] for i in range(2, 12)) < 0.3


def test_jobs_of_several_clients_keep_apart() -> None:
    jobs = [Job(f"j{i}", leaves(f"j{i}", 7), client=f"c{i % 2}", at_s=2e-3 * i) for i in range(4)]
    run = ran(of_jobs(jobs))
    assert {event.what: event.node for event in events(run, Kind.JOB)} == {f"j{i}": f"c{i % 2}" for i in range(4)}


def test_a_job_of_many_items_goes_in_several_messages() -> None:
    run = run_tier1(plan(leaves("j0", 9_000, 1e-4, is_async=False), [2, 4]), checkers=[TablesEmpty()], keep_all=True)
    assert run.violation is None
    assert len(run.outcomes) == 9_000
    assert sum(event.what.count("SubmitJob") for event in events(run, Kind.SEND, node="c0")) == 3


def test_the_same_plan_gives_the_same_trace() -> None:
    made = plan([parent("j0.0", Batch(leaves("j0.0.1", 30)))], [3, 2])
    assert run_tier1(made).trace_hash == run_tier1(made).trace_hash


def test_a_run_can_stop_in_between() -> None:
    made: Plan = plan(leaves("j0", 40, 0.01))
    run = run_tier1(made, until_s=0.02)
    assert run.violation is None
    assert 0 < run.now_s <= 0.02
    assert 0 < len(run.outcomes) < 40
