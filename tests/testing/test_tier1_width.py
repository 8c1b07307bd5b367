"""Many of one kind on the pure cores: workers, jobs, priorities, deadlines, items that are still on their way."""

from __future__ import annotations

from tests.testing.tier1_plans import ends_of, leaves, of_jobs, parent, plan, ran
from triort.testing._checkers.idle_truth import IdleTruth
from triort.testing._checkers.tables_empty import TablesEmpty
from triort.testing._plan.plan import Batch, Compute, Job, Plan, Task
from triort.testing._tier1.run import run_tier1


def test_a_thousand_nodes_share_the_work_of_several_jobs() -> None:
    jobs = [Job(f"j{i}", leaves(f"j{i}", 700, 4e-3, is_async=False), at_s=1e-3 * i) for i in range(3)]
    made = Plan(2, 5, [10, 10, 10], jobs, latency=["lan"])
    run = run_tier1(made, checkers=[TablesEmpty(), IdleTruth()], frames=False)
    assert run.violation is None
    assert len(run.outcomes) == 2_100
    assert run.num_messages / 2_100 / 3 < 7.0
    assert run.now_s < 0.1


def test_a_tree_of_a_thousand_tasks_on_two_levels() -> None:
    inner = [parent(f"j0.0.{i}", Batch(leaves(f"j0.0.{i}.1", 32, is_async=False))) for i in range(32)]
    run = ran(plan([parent("j0.0", Batch(inner))], [4, 4]))
    assert str(run.outcomes["j0.0"]) == f"value {1 + 32 * 33}"


def test_many_deadlines_and_priorities_of_jobs_leave_nothing_behind() -> None:
    long = Job("j0", [Task("j0.0", [Compute(1.0)])], timeout_s=5.0)
    short = [Job(f"j{i}", leaves(f"j{i}", 1), timeout_s=50.0, priority=i, at_s=2e-3 * i) for i in range(1, 160)]
    run = ran(of_jobs([long, *short], [2, 2]))
    assert set(ends_of(run).values()) == {"value"}


def test_many_deadlines_of_children_leave_nothing_behind() -> None:
    open_one = Batch([Task("j0.0.1.0", [Compute(3.0)])], wait=False, timeout_s=5.0)
    batches = [Batch(leaves(f"j0.0.{i}", 40, 1e-4), timeout_s=50.0) for i in range(2, 12)]
    run = ran(plan([parent("j0.0", open_one, *batches)]))
    assert ends_of(run) == {"j0": "value"}
    assert str(run.outcomes["j0.0.1.0"]) == "cancelled"


def test_items_that_come_after_their_job_has_failed_are_cancelled() -> None:
    items = [Task("j0.0", [], fails=-1), *leaves("j0.1", 8_400, 1.0)]
    kinds = set()
    for seed in range(5):
        made = Plan(2, seed, [2, 2], [Job("j0", items)], latency=["tail", "local"])
        run = run_tier1(made, checkers=[TablesEmpty(), IdleTruth()], frames=False)
        assert run.violation is None
        assert run.now_s < 0.9
        kinds |= {str(run.outcomes["j0.0"]), str(run.outcomes["j0.1.8399"])}
    assert kinds == {"error", "cancelled"}
