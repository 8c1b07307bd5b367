"""What makes no sense in a plan is found, and told in one line."""

import math
from typing import Any

import msgspec
import pytest

from tests.testing.plan_makers import batch, fault, job, named, plan, task
from triort._model.errors import UsageError
from triort.testing._plan.check import check_plan, num_nodes
from triort.testing._plan.check_faults import SIDED, TARGETS
from triort.testing._plan.plan import Compute, Fault, FaultKind, Job, Listen, Plan, Say, Task


def reason(wrong: Plan) -> str:
    with pytest.raises(UsageError) as caught:
        check_plan(wrong)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix("the plan: ")


def of_task(*steps: Any, **options: Any) -> Plan:
    return plan(job(task(*steps, **options)))


def with_faults(*faults: Fault) -> Plan:
    return plan(job(task()), faults=faults)


def test_a_plan_without_jobs_is_one() -> None:
    check_plan(plan())


def test_settings_are_checked() -> None:
    assert reason(plan(tree=[])).startswith("the tree is a list of fan-outs of at least 1")
    assert reason(plan(tree=[3, -1])) == "the tree is a list of fan-outs of at least 1, workers last, not [3, -1]"
    assert reason(plan(tree=[2] * 17)) == "the tree has 17 levels; at most 16"
    assert reason(plan(tree=[2000, 2000])) == "the tree [2000, 2000] has 4002000 nodes; at most 1000000"
    assert reason(plan(latency=["lan", "lahn"])) == (
        "there is no latency class 'lahn'; there are memory, local, lan, wan, tail"
    )
    assert reason(plan(schedule="lifo")) == "there is no schedule 'lifo'; there are random, fifo, pct, script"
    assert reason(plan(script={3: [0, 2]})) == "script: batch 3 has [0, 2], which is no new order of 0 to 1"
    assert reason(plan(script={3: [0]})) == "script: batch 3 has [0], which is no new order of 0 to 1"
    assert reason(plan(buggify={"drop": 1.5})) == (
        "buggify point 'drop' goes its rare way with a probability from 0 to 1, not 1.5"
    )
    assert reason(plan(heal_s=0.0)) == "heal_s is a positive number of seconds up to 1e+07, not 0.0"
    assert reason(plan(seed=-1)) == "the seed is a whole number from 0 to 2**63 - 1, not -1"


def test_names_of_jobs_and_tasks_fit_together() -> None:
    assert reason(plan(job(task(), name="job"))) == "a job is called j0, j1 and so on, not 'job'"
    assert reason(plan(job(task()), job(task()))) == "two jobs are called j0"
    assert reason(plan(Job("j0", []))) == "job j0 has no items"
    assert reason(plan(Job("j0", [named(task(), "j0.0")] * 2))) == "two tasks are called j0.0"
    assert reason(plan(Job("j0", [Task("j1.0", [])]))) == (
        "a task that j0 submits is called j0. and numbers with dots between, not 'j1.0'"
    )
    assert reason(plan(Job("j0", [Task("j0.a\nb", [])]))).endswith(r"not 'j0.a\nb'")
    assert reason(plan(job(task(), client="client"))) == (
        "job j0: unknown client 'client'; clients are called c0, c1 and so on"
    )


def test_tasks_are_checked() -> None:
    assert reason(of_task(function="e")) == "task j0.0: unknown function 'e'; there are f, g, h"
    assert reason(of_task(fails=-2)) == "task j0.0: fails is a number of tries up to 1000000, or -1 for all, not -2"
    assert reason(of_task(poison=10**7)).startswith("task j0.0: poison is a number of tries up to 1000000")
    assert reason(of_task(Say(1), Compute(-0.1))) == (
        "task j0.0, step 1: seconds is a number of seconds from 0 to 1e+07, not -0.1"
    )
    assert reason(of_task(Compute(math.nan))).endswith("not nan")
    assert reason(of_task(Compute(math.inf))).endswith("not inf")
    assert reason(of_task(Say(-1))) == "task j0.0, step 0: lines is a number from 0 to 1000000, not -1"


def test_batches_are_checked() -> None:
    assert reason(of_task(batch())) == "task j0.0, step 0: a batch has at least one child"
    assert reason(of_task(batch(task(), how="gather"))) == (
        "task j0.0, step 0: how is one of map, next, as_completed, submit, nursery, not 'gather'"
    )
    assert "cancel_after_s is a number of seconds" in reason(of_task(batch(task(), cancel_after_s=-1.0)))
    assert "timeout_s is a positive number" in reason(of_task(batch(task(), timeout_s=0.0)))
    assert "crash_limit is at least 1, not 0" in reason(of_task(batch(task(), crash_limit=0)))
    assert "retries is a number from 0" in reason(of_task(batch(task(), retries=-1)))
    assert "talk is a number from 0" in reason(of_task(batch(task(), talk=-1)))
    assert reason(plan(job(task(), timeout_s=-1.0))).startswith("job j0: timeout_s is a positive number of seconds")


def test_nobody_listens_for_what_is_never_said() -> None:
    check_plan(of_task(batch(task(Listen(2)), talk=2)))
    assert reason(of_task(batch(task(Listen(2)), talk=1))) == (
        "task j0.0.0.0, step 0 waits for ever: it listens for 2 messages, and j0.0 says 1 to it"
    )
    assert "waits for ever" in reason(of_task(Listen(1)))


def test_too_many_tasks_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triort.testing._plan.check.TASKS_MAX", 3)
    assert reason(of_task(batch(task(), task(), task()))) == "there are more than 3 tasks"


def test_fault_targets_are_what_the_kind_can_hit() -> None:
    assert reason(with_faults(fault("crash_worker", "m0"))) == (
        "fault 0 (crash_worker at 0.0 s): its target is a worker (s.w1, m0.w1), not 'm0'"
    )
    assert "its target is a job (j0), not 'c0'" in reason(with_faults(fault("cancel_job", "c0")))
    assert "its target is a link, called by its lower end" in reason(with_faults(fault("cut", "s")))
    assert "unknown client 'c7'; the jobs have c0" in reason(with_faults(fault("client_death", "c7")))
    for target in ("", "x", "m", "m0.", "w1", "m0.w1.m2", "m0 ", "j0", "s.m0"):
        assert "its target is a node" in reason(with_faults(fault("slow_node", target)))
    check_plan(with_faults(*[fault("slow_node", target) for target in ("s", "m7", "m0.m12.w99", "s.w1", "c0")]))


def test_a_target_that_is_not_in_the_tree_is_no_error() -> None:
    check_plan(with_faults(fault("crash_worker", "m5.m6.w99"), fault("cancel_job", "j9")))


def test_times_sides_and_factors_of_faults_are_checked() -> None:
    assert "at_s is a number of seconds from 0" in reason(with_faults(fault("cut", "m0", -1.0)))
    assert "for_s is a number of seconds from 0" in reason(with_faults(fault("clog", "m0", for_s=math.inf)))
    assert "its side is one of boss, employee, not ''" in reason(with_faults(fault("half_open", "m0")))
    assert "it has no side, so not 'boss'" in reason(with_faults(fault("cut", "m0", side="boss")))
    assert "its factor is a number above 0" in reason(with_faults(fault("slow_node", "m0", factor=0.0)))
    assert "its factor is the number of workers" in reason(with_faults(fault("join_manager", "s", factor=1.5)))
    check_plan(with_faults(fault("clock_offset", "m0", factor=-3.0)))


def test_each_kind_of_fault_has_its_targets() -> None:
    assert set(TARGETS) == set(FaultKind)
    samples = ("s", "m0", "m0.w1", "c0", "j0")
    for kind in FaultKind:
        fits, _ = TARGETS[kind]
        target = next(name for name in samples if fits(name))
        check_plan(with_faults(fault(kind, target, side="boss" if kind in SIDED else "")))


def test_the_first_error_is_told_with_its_source() -> None:
    wrong = msgspec.structs.replace(plan(), seed=-1)
    with pytest.raises(UsageError, match=r"^corpus/7\.json: the seed is"):
        check_plan(wrong, "corpus/7.json")


def test_nodes_are_counted_without_the_server() -> None:
    assert num_nodes([4]) == 4
    assert num_nodes([2, 3]) == 8
    assert num_nodes([10, 10, 10, 10]) == 11_110
