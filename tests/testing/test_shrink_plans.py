"""Plans are made small by the rules: the same check, fair plans only, what is needed stays, always the same result."""

from collections.abc import Callable, Sequence

import attrs
import msgspec
import pytest

from triort._model.errors import UsageError
from triort.testing._events import Violation
from triort.testing._plan.check import check_plan
from triort.testing._plan.generate import generate
from triort.testing._plan.names import managers_of, workers_of
from triort.testing._plan.plan import Batch, Compute, Fault, FaultKind, Job, Listen, Plan, Task
from triort.testing._plan.sizes import size
from triort.testing._plan.support import core_of
from triort.testing._plan.swarm import Faults
from triort.testing._plan.walk import all_tasks
from triort.testing._shrink import shrink
from triort.testing._shrink.search import is_same_check

replace = msgspec.structs.replace


@attrs.define
class Fails:
    """Fails a check if a plan has something; keeps all plans that it was asked for."""

    has: Callable[[Plan], bool]
    check: str = "bad"
    asked: list[Plan] = attrs.Factory(list)

    def __call__(self, plan: Plan) -> Violation | None:
        self.asked.append(plan)
        return Violation(self.check, "seen") if self.has(plan) else None


def names_of(plan: Plan) -> set[str]:
    return {task.name for task in all_tasks(plan)}


def deepest(plan: Plan) -> str:
    return max(names_of(plan), key=lambda name: (name.count("."), name))


def has_node(tree: list[int], name: str) -> bool:
    return name in managers_of(tree) or name in workers_of(tree)


PLAN = generate(4, size=120, tree=[3, 2, 2])


def test_one_needed_task_is_all_that_is_left() -> None:
    needed = deepest(PLAN)
    shrunk = shrink(PLAN, Fails(lambda plan: needed in names_of(plan)))
    assert [job.items for job in shrunk.plan.jobs] == [[Task(needed, [])]]
    assert shrunk.plan.faults == []
    assert shrunk.plan.tree == [1]
    assert (shrunk.plan.latency, shrunk.plan.schedule, shrunk.plan.buggify) == (["memory"], "fifo", {})
    assert shrunk.is_done
    assert shrunk.runs < 100


def test_needed_faults_stay_and_follow_their_targets_to_a_smaller_tree() -> None:
    faults = [Fault(0.123456, FaultKind.CRASH_WORKER, "m2.m1.w2"), Fault(0.1, FaultKind.CUT, "m1.m0", factor=1.0),
              *PLAN.faults]  # fmt: skip

    def has(plan: Plan) -> bool:
        kinds = [fault.kind for fault in plan.faults]
        return FaultKind.CRASH_WORKER in kinds and FaultKind.CUT in kinds and len(plan.tree) == 3

    shrunk = shrink(replace(PLAN, faults=faults), Fails(has)).plan
    assert sorted(fault.kind.value for fault in shrunk.faults) == ["crash_worker", "cut"]
    assert all(fault.at_s == 1e-3 for fault in shrunk.faults)
    assert core_of(shrunk.tree, shrunk.faults) is not None
    assert all(has_node(shrunk.tree, fault.target) for fault in shrunk.faults)
    assert sum(shrunk.tree) == 3


def test_only_valid_plans_that_a_cluster_can_get_through_are_run() -> None:
    plan = generate(11, size=150, faults=Faults.only("crash_manager", "cut", "crash_worker"), levels=3)
    assert core_of(plan.tree, plan.faults) is not None
    fails = Fails(lambda plan: len(names_of(plan)) >= 3 and len(plan.faults) >= 2)
    shrink(plan, fails)
    for asked in fails.asked:
        check_plan(asked)
        assert core_of(asked.tree, asked.faults) is not None
        assert asked.heal_s <= plan.heal_s
    assert len(fails.asked) == len(set(map(msgspec.json.encode, fails.asked)))


def test_a_task_that_always_kills_keeps_its_crash_limit() -> None:
    killer = Task("j0.0.0.0", [], poison=-1)
    plan = Plan(2, 0, [2], [Job("j0", [Task("j0.0", [Batch([killer], crash_limit=2)])], crash_limit=1)], heal_s=5000.0)
    fails = Fails(lambda plan: any(task.poison < 0 for task in all_tasks(plan)))
    shrunk = shrink(plan, fails).plan
    assert [(job.crash_limit, [item.poison for item in job.items]) for job in shrunk.jobs] == [(1, [-1])]


def test_messages_go_only_with_those_who_wait_for_them() -> None:
    children = [Task(f"j0.0.0.{number}", [Compute(0.5), Listen(2)]) for number in range(3)]
    plan = Plan(2, 0, [2], [Job("j0", [Task("j0.0", [Batch(children, talk=2, how="next", retries=3)])])])

    def has(plan: Plan) -> bool:
        return any(isinstance(step, Listen) for task in all_tasks(plan) for step in task.steps)

    shrunk = shrink(plan, Fails(has)).plan
    assert shrunk.jobs[0].items == [Task("j0.0", [Batch([Task("j0.0.0.2", [Listen(2)])], talk=2)])]


def test_another_failure_does_not_count() -> None:
    def fails(plan: Plan) -> Violation | None:
        if len(plan.faults) >= 3:
            return Violation("crash of m0", "as it was")
        return Violation("liveness", "something else") if plan.faults else None

    plan = generate(3, faults=Faults.only("crash_worker", "clog", "close"), tree=[2, 3])
    assert len(plan.faults) > 3
    shrunk = shrink(plan, fails)
    assert len(shrunk.plan.faults) == 3
    assert shrunk.violation.check == "crash of m0"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("liveness", "liveness", True),
        ("liveness", "rest", False),
        ("crash of m0.m1", "crash of m0.m1.w12", True),
        ("crash of m0", "liveness of m0", False),
        ("crash of m0", "crash of the cluster", False),
    ],
)
def test_a_check_is_the_same_wherever_it_fails(one: str, other: str, expected: bool) -> None:
    assert is_same_check(one, other) is expected


def test_the_result_is_always_the_same() -> None:
    def has(plan: Plan) -> bool:
        return len(names_of(plan)) % 7 > 2 and len(plan.faults) >= 2

    plans = [generate(seed, size=80) for seed in range(20)]
    plan = next(plan for plan in plans if has(plan))
    results = [shrink(plan, Fails(has)) for _ in range(2)]
    assert results[0].plan == results[1].plan
    assert results[0].runs == results[1].runs


def test_a_plan_that_passes_is_refused() -> None:
    with pytest.raises(UsageError, match="does not fail"):
        shrink(PLAN, Fails(lambda plan: False))


def test_the_search_ends_with_its_runs_and_keeps_the_best() -> None:
    fails = Fails(lambda plan: len(names_of(plan)) >= 2)
    shrunk = shrink(PLAN, fails, runs_max=10)
    assert (shrunk.runs, len(fails.asked), shrunk.is_done) == (10, 11, False)
    assert size(shrunk.plan) < size(PLAN)


def test_the_search_ends_with_its_time() -> None:
    shrunk = shrink(PLAN, Fails(lambda plan: True), budget_s=0.0)
    assert (shrunk.plan, shrunk.runs, shrunk.is_done) == (PLAN, 0, False)


def test_each_smaller_plan_is_noted() -> None:
    notes: list[str] = []
    shrunk = shrink(PLAN, Fails(lambda plan: len(plan.jobs) >= 1), note=notes.append)
    assert notes[0] == f"1 run: 0 faults, {size(PLAN).tasks} tasks, {size(PLAN).nodes} nodes"
    assert notes[-1].endswith("0 faults, 1 task, 1 node")
    assert len(notes) <= shrunk.runs


def test_what_is_already_small_stays_as_it_is() -> None:
    plan = Plan(2, 7, [1], [Job("j0", [Task("j0.0", [])])], latency=["memory"], schedule="fifo")
    assert shrink(plan, Fails(lambda plan: bool(plan.jobs))).plan == plan


# -- the schedule ----------------------------------------------------------------------------------------------------

RECORDED = {number: [2, 1, 0, 3] for number in range(40)}
SMALL = Plan(2, 7, [1], [Job("j0", [Task("j0.0", [])])], latency=["memory"])


def scripted(needed: Sequence[int]) -> Fails:
    """Fails if in some batches the third task runs before the first."""

    def has(plan: Plan) -> bool:
        if plan.schedule == "random" or not plan.jobs:
            return bool(plan.jobs)
        orders = [plan.script.get(number, [0, 1, 2, 3]) for number in needed]
        return plan.schedule == "script" and all(order.index(2) < order.index(0) for order in orders)

    return Fails(has)


def test_a_schedule_that_matters_becomes_the_few_batches_that_do() -> None:
    shrunk = shrink(SMALL, scripted([5, 31]), recorded=lambda plan: RECORDED)
    assert shrunk.plan.schedule == "script"
    assert shrunk.plan.script in ({5: [2, 0, 1, 3], 31: [2, 0, 1, 3]}, {5: [1, 2, 0, 3], 31: [1, 2, 0, 3]})
    assert shrunk.is_done


def test_a_script_is_shrunk_without_a_recording() -> None:
    plan = replace(SMALL, schedule="script", script=RECORDED)
    assert list(shrink(plan, scripted([3])).plan.script) == [3]


def test_a_schedule_stays_where_nobody_has_recorded_it_or_the_recording_does_not_fail() -> None:
    assert shrink(SMALL, scripted([5])).plan == SMALL
    assert shrink(SMALL, scripted([50]), recorded=lambda plan: RECORDED).plan == SMALL


def test_first_come_first_served_opens_the_way_for_more() -> None:
    tasks = [Task(f"j0.{number}", []) for number in range(5)]
    plan = replace(SMALL, jobs=[Job("j0", tasks)])

    def has(plan: Plan) -> bool:
        return len(names_of(plan)) >= (1 if plan.schedule == "fifo" else 5)

    assert len(names_of(shrink(plan, Fails(has)).plan)) == 1
