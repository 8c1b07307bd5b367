"""Edits of plans: smaller, valid, everything else as it was."""

from collections.abc import Callable

import msgspec
import pytest

from tests.testing.plan_makers import batch, fault, job, plan, task
from triort._model.errors import UsageError
from triort.testing._plan import edit
from triort.testing._plan.check import check_plan
from triort.testing._plan.edit_tree import simpler_latencies, smaller_trees, with_latency, with_tree
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import Compute, Fault, Listen, Plan, Say
from triort.testing._plan.sizes import size
from triort.testing._plan.support import core_of
from triort.testing._plan.walk import all_tasks, subtree_of

SAMPLE = plan(
    job(task(Compute(0.1), batch(task(Listen(1)), task(Say(1), batch(task(fails=-1)))), Compute(0.2)), task()),
    job(task(), name="j1", client="c1"),
    faults=[fault("cut", "m0"), fault("cancel_job", "j1"), fault("client_death", "c1"), fault("crash_worker", "m1.w2")],
    tree=[2, 3],
    latency=["lan", "wan", "local"],
)
SAMPLE = msgspec.structs.replace(
    SAMPLE,
    jobs=[
        edit.with_task(
            SAMPLE,
            "j0.0",
            lambda each: msgspec.structs.replace(each, steps=[
                msgspec.structs.replace(step, talk=2) if hasattr(step, "talk") else step for step in each.steps
            ]),
        ).jobs[0],
        SAMPLE.jobs[1],
    ],
)  # fmt: skip


def names(of: Plan) -> list[str]:
    return [each.name for each in all_tasks(of)]


def kinds(of: Plan) -> list[str]:
    return [each.kind.value for each in of.faults]


def test_faults_go_by_their_places() -> None:
    assert kinds(edit.without_fault(SAMPLE, 1)) == ["cut", "client_death", "crash_worker"]
    assert kinds(edit.without_faults(SAMPLE, {0, 3})) == ["cancel_job", "client_death"]
    assert edit.without_faults(SAMPLE, []) == SAMPLE


def test_a_job_goes_with_the_faults_that_hit_only_it() -> None:
    less = edit.without_job(SAMPLE, "j1")
    assert [each.name for each in less.jobs] == ["j0"]
    assert kinds(less) == ["cut", "crash_worker"]


def test_a_task_goes_with_its_children_and_its_batch_when_that_is_empty() -> None:
    assert names(edit.without_task(SAMPLE, "j0.0.1.1")) == ["j0.0", "j0.0.1.0", "j0.1", "j1.0"]
    less = edit.without_task(SAMPLE, "j0.0.1.1.1.0")
    assert names(less) == ["j0.0", "j0.0.1.0", "j0.0.1.1", "j0.1", "j1.0"]
    assert [step for each in all_tasks(less) if each.name == "j0.0.1.1" for step in each.steps] == [Say(1)]
    assert names(edit.without_tasks(SAMPLE, ["j0.0", "j1.0"])) == ["j0.1"]


def test_a_job_goes_with_its_last_item() -> None:
    less = edit.without_task(SAMPLE, "j1.0")
    assert [each.name for each in less.jobs] == ["j0"]
    assert kinds(less) == ["cut", "crash_worker"]


def test_tasks_become_plain() -> None:
    plain = edit.with_task(SAMPLE, "j0.0.1.1", edit.plain_task)
    assert [each.steps for each in all_tasks(plain) if each.name == "j0.0.1.1"] == [
        [
            step
            for each in all_tasks(SAMPLE)
            if each.name == "j0.0.1.1"
            for step in each.steps
            if not isinstance(step, Say)
        ]
    ]
    quiet = edit.with_task(SAMPLE, "j0.0.1.1.1.0", edit.plain_task)
    assert [each.fails for each in all_tasks(quiet)] == [0] * 6
    assert list(edit.simpler_tasks(SAMPLE, "j0.1")) == []


def test_children_of_a_plain_batch_do_not_listen() -> None:
    plain = edit.with_task(SAMPLE, "j0.0", edit.plain_batches)
    check_plan(plain)
    assert [each.steps for each in all_tasks(plain) if each.name == "j0.0.1.0"] == [[]]


def test_durations_become_one_or_none() -> None:
    assert {step.seconds for each in all_tasks(edit.with_seconds(SAMPLE, 0.01)) for step in each.steps
            if isinstance(step, Compute)} == {0.01}  # fmt: skip
    assert not [step for each in all_tasks(edit.with_seconds(SAMPLE, 0.0)) for step in each.steps
                if isinstance(step, Compute)]  # fmt: skip


def test_a_plain_job_comes_at_once() -> None:
    later = plan(job(task(), at_s=1.0, retries=2, timeout_s=3.0))
    assert edit.plain_job(later, "j0") == plan(job(task()))


@pytest.mark.parametrize(
    ("tree", "old", "stays"),
    [
        ([3, 2], fault("cut", "m2"), True),
        ([2, 2], fault("cut", "m2"), False),
        ([3, 2], fault("crash_worker", "m0.w2"), True),
        ([3, 1], fault("crash_worker", "m0.w2"), False),
        ([3, 1], fault("crash_worker", "m0.w5"), True),
        ([2], fault("crash_worker", "m0.w2"), False),
        ([2], fault("slow_node", "s"), True),
        ([2], fault("join_manager", "s"), False),
        ([2], fault("join_worker", "m0"), False),
        ([1, 1, 1], fault("join_worker", "m0"), False),
        ([1, 1, 1], fault("join_manager", "m0"), True),
        ([2], fault("cancel_job", "j0"), True),
        ([2], fault("clog", "c0", for_s=1.0), True),
    ],
)
def test_faults_without_a_target_go_with_the_nodes(tree: list[int], old: Fault, stays: bool) -> None:
    assert (with_tree(plan(job(task()), faults=[old], tree=[3, 2]), tree).faults == [old]) is stays


def test_a_smaller_tree_keeps_a_core() -> None:
    old = plan(job(task()), faults=[fault("crash_manager", "m0"), fault("crash_manager", "m1", 1.0)], tree=[3, 2])
    less = with_tree(old, [2, 2])
    assert core_of(less.tree, less.faults) is not None
    assert kinds(less) == ["crash_manager"]


def test_latencies_go_with_their_levels() -> None:
    assert with_tree(SAMPLE, [2]).latency == ["lan", "wan"]
    assert [each.latency for each in simpler_latencies(with_latency(SAMPLE, "lan"))] == [["memory"], ["local"]]
    assert len(list(simpler_latencies(SAMPLE))) == 5
    with pytest.raises(UsageError, match="no latency class 'lahn'"):
        with_latency(SAMPLE, "lahn")


def test_smaller_trees_are_smaller() -> None:
    trees = [each.tree for each in smaller_trees(plan(tree=[4, 2, 3]))]
    assert trees == [[3], [2, 3], [1, 2, 3], [2, 2, 3], [3, 2, 3], [4, 1, 3], [4, 2, 1], [4, 2, 2]]
    assert list(smaller_trees(plan(tree=[1]))) == []


def test_a_tree_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="the tree is a list of fan-outs"):
        with_tree(SAMPLE, [0])


def test_sizes_count_what_there_is() -> None:
    found = size(SAMPLE)
    assert (found.faults, found.tasks, found.nodes, found.jobs, found.steps) == (4, 6, 8, 2, 6)
    assert (found.seconds, found.latencies, found.script) == (2, 3, 0)
    assert found.options == 3
    assert size(edit.without_fault(SAMPLE, 0)) < found


EDITS: list[Callable[[Plan], list[Plan]]] = [
    lambda each: [edit.without_fault(each, number) for number in range(len(each.faults))],
    lambda each: [edit.without_job(each, old.name) for old in each.jobs],
    lambda each: [edit.without_task(each, name) for name in names(each)],
    lambda each: [simpler for name in names(each) for simpler in edit.simpler_tasks(each, name)],
    lambda each: [plain for old in each.jobs if (plain := edit.plain_job(each, old.name)) != each],
    lambda each: [edit.with_seconds(each, seconds) for seconds in (0.0, 0.001)],
    lambda each: list(smaller_trees(each)),
    lambda each: list(simpler_latencies(each)),
]


@pytest.mark.parametrize("seed", range(0, 150, 10))
def test_edits_of_random_plans_are_valid_and_never_larger(seed: int) -> None:
    for each in (generate(number, size=20) for number in range(seed, seed + 10)):
        before = size(each)
        for edits in EDITS:
            for smaller in edits(each):
                check_plan(smaller, f"seed {each.seed}")
                after = size(smaller)
                assert smaller != each
                assert (after.faults, after.tasks, after.nodes) <= (before.faults, before.tasks, before.nodes)
                assert core_of(smaller.tree, smaller.faults) is not None


def test_tasks_that_stay_are_as_they_were() -> None:
    for seed in range(30):
        old = generate(seed)
        gone = names(old)[len(names(old)) // 2]
        left = {each.name: each for each in all_tasks(edit.without_task(old, gone))}
        taken = {each.name for root in all_tasks(old) if root.name == gone for each in subtree_of(root)}
        assert set(left) == set(names(old)) - taken
        for each in all_tasks(old):
            if each.name in left and not gone.startswith(f"{each.name}."):
                assert left[each.name] == each


def test_edits_can_go_on_until_nothing_is_left() -> None:
    for seed in range(20):
        each = generate(seed)
        while each.jobs:
            each = edit.without_task(each, names(each)[-1])
            check_plan(each)
        assert [fault for fault in each.faults if fault.target.startswith(("j", "c"))] == []
