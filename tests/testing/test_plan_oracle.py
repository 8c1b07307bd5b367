"""The sequential interpreter: one outcome where there is no race, and no more than there may be where there is one."""

import msgspec
import pytest

from tests.testing.plan_makers import batch, fault, job, named, plan, task
from triort._model.errors import UsageError
from triort.testing._events import Outcome
from triort.testing._plan.fate import Fate
from triort.testing._plan.generate import generate
from triort.testing._plan.oracle import expected, fates, has_races
from triort.testing._plan.plan import CAUGHT, Compute, Plan, Task
from triort.testing._plan.swarm import Faults, Features
from triort.testing._plan.values import VALUES_MAX

ERROR, CANCELLED, TIMEOUT, CRASHED = (Outcome(kind) for kind in ("error", "cancelled", "timeout", "crashed"))


def shown(of: Plan, name: str = "j0.0") -> str:
    return str(fates(of)[name])


def alone(each: Task, retries: int = 0) -> Outcome:
    return expected(named(each, "j0.0"), retries=retries)


# -- values and errors -----------------------------------------------------------------------------------------------


def test_a_task_counts_itself_and_its_batches() -> None:
    assert alone(task(Compute(1.0))) == Outcome("value", 1)
    assert alone(task(batch(task(), task()), Compute(0.1), batch(task(batch(task()))))) == Outcome("value", 5)


def test_a_batch_that_is_not_waited_for_counts_nothing() -> None:
    tree = plan(job(task(batch(task(fails=-1), wait=False))))
    assert shown(tree) == "value 1"
    assert shown(tree, "j0.0.0.0") == "cancelled or error"


def test_an_error_goes_up_to_where_it_is_caught() -> None:
    failing = task(batch(task(batch(task(fails=-1)))))
    assert alone(failing) == ERROR
    assert alone(task(batch(failing, catch=True), batch(task()))) == Outcome("value", 1 + CAUGHT + 1)


def test_what_comes_after_an_error_is_never_submitted() -> None:
    tree = plan(job(task(batch(task(fails=-1)), batch(task(batch(task()))))))
    assert [shown(tree, name) for name in ("j0.0.1.0", "j0.0.1.0.0.0")] == ["never submitted"] * 2
    assert not fates(tree)["j0.0.1.0"].allows(Outcome("value", 2), doomed=True)


def test_failures_up_to_the_retries_never_show() -> None:
    assert alone(task(fails=2), retries=2) == Outcome("value", 1)
    assert alone(task(fails=3), retries=2) == ERROR
    assert alone(task(fails=-1), retries=9) == ERROR
    assert alone(task(batch(task(fails=1), retries=1))) == Outcome("value", 2)


def test_failures_may_be_used_up_by_attempts_whose_parent_runs_again() -> None:
    tree = plan(job(task(batch(task(fails=1))), retries=1))
    assert shown(tree, "j0.0.0.0") == "value 1 or error"
    assert shown(tree) == "value 2 or error"


def test_failures_may_be_used_up_by_attempts_that_are_lost() -> None:
    tree = plan(job(task(fails=1)), faults=[fault("crash_worker", "m0.w1")])
    assert shown(tree) == "value 1 or error"
    assert shown(plan(job(task(fails=-1)), faults=tree.faults)) == "error"


def test_a_race_is_no_single_outcome() -> None:
    with pytest.raises(UsageError, match=r"task j0\.0 may end as value 2 or error"):
        alone(task(batch(task(), cancel_after_s=0.1)))


# -- cancels ---------------------------------------------------------------------------------------------------------


def test_siblings_of_what_may_fail_may_be_cancelled_and_others_not() -> None:
    tree = plan(job(task(batch(task(), task(fails=-1)), batch(task()))))
    assert shown(tree, "j0.0.0.0") == "value 1 or cancelled"
    assert shown(tree, "j0.0.0.1") == "error"
    items = plan(job(task(), task(fails=-1)), job(task(), name="j1"))
    assert [shown(items, name) for name in ("j0.0", "j0.1", "j1.0")] == ["value 1 or cancelled", "error", "value 1"]


def test_two_that_may_fail_may_cancel_each_other() -> None:
    tree = plan(job(task(fails=-1), task(fails=-1)))
    assert shown(tree, "j0.0") == shown(tree, "j0.1") == "cancelled or error"


def test_all_below_a_task_that_may_be_cancelled_may_be_cancelled() -> None:
    tree = plan(job(task(batch(task(batch(task())), wait=False))))
    assert shown(tree, "j0.0.0.0") == "value 2 or cancelled"
    assert shown(tree, "j0.0.0.0.0.0") == "value 1 or cancelled"


def test_a_batch_that_is_cancelled_after_a_while_may_be_through_by_then() -> None:
    tree = plan(job(task(batch(task(), task(), cancel_after_s=0.1, catch=True))))
    assert shown(tree) == f"value 3 or value {1 + CAUGHT}"
    assert shown(tree, "j0.0.0.1") == "value 1 or cancelled"
    opened = plan(job(task(batch(task(), wait=False, cancel_after_s=0.1))))
    assert shown(opened) == "value 1"


def test_a_cancelled_task_is_not_tried_again_so_its_error_shows() -> None:
    tree = plan(job(task(fails=1), task(fails=-1), retries=1))
    assert shown(tree, "j0.0") == "value 1 or cancelled or error"


def test_a_job_that_is_stopped_from_outside_is_allowed_for_by_those_who_see_it() -> None:
    kinds = [("cancel_job", "j0"), ("cancel_race", "j0"), ("cancel_storm", "s"), ("client_death", "c0"), ("cut", "c0")]
    for kind, target in kinds:
        tree = plan(job(task(fails=1), retries=1), faults=[fault(kind, target)])
        assert shown(tree) == "value 1"
        assert has_races(tree)
        fate = fates(tree)["j0.0"]
        assert [fate.allows(each) for each in (CANCELLED, ERROR)] == [False, False]
        assert [fate.allows(each, doomed=True) for each in (CANCELLED, ERROR, CRASHED)] == [True, True, False]
        assert not has_races(plan(job(task(), client="c1", name="j1")))


# -- timeouts --------------------------------------------------------------------------------------------------------


def test_only_what_has_a_timeout_may_time_out() -> None:
    tree = plan(job(task(Compute(0.1), batch(task(Compute(0.1)))), timeout_s=0.3))
    assert shown(tree) == "value 2 or timeout"
    assert shown(tree, "j0.0.1.0") == "value 1 or cancelled"


def test_a_timeout_is_a_failure_for_the_parent() -> None:
    tree = plan(job(task(batch(task(Compute(0.1)), task(), timeout_s=0.1))))
    assert shown(tree) == "value 3 or error"
    assert shown(tree, "j0.0.0.1") == "value 1 or cancelled or timeout"


def test_a_hopeless_timeout_always_passes() -> None:
    assert shown(plan(job(task(Compute(0.5)), timeout_s=0.1))) == "timeout"
    assert shown(plan(job(task(Compute(0.5), fails=-1), timeout_s=0.1))) == "timeout"
    assert shown(plan(job(task(Compute(0.25)), timeout_s=0.1))) == "value 1 or timeout"
    assert shown(plan(job(task(Compute(0.5), stubborn=True), timeout_s=0.1))) == "value 1 or timeout"


def test_a_timeout_beyond_all_that_may_take_time_never_passes() -> None:
    generous = job(task(Compute(0.5)), timeout_s=1000.0)
    assert shown(plan(generous, heal_s=60.0)) == "value 1"
    assert shown(plan(generous, heal_s=60.0, faults=[fault("cut", "m0", 990.0)])) == "value 1 or timeout"


def test_nothing_is_sure_about_deadlines_when_clocks_are_wrong() -> None:
    for kind in ("clock_offset", "clock_drift"):
        faults = [fault(kind, "m0", factor=2.0)]
        assert shown(plan(job(task(Compute(0.5)), timeout_s=1000.0), faults=faults)) == "value 1 or crashed or timeout"
        assert shown(plan(job(task(Compute(0.5)), timeout_s=0.1), faults=faults)) == "value 1 or crashed or timeout"
    assert shown(plan(job(task(Compute(0.5)), timeout_s=0.1), faults=[fault("clog", "m0", for_s=0.1)])) == (
        "value 1 or timeout"
    )


# -- crashes ---------------------------------------------------------------------------------------------------------


def test_lost_attempts_change_nothing_by_default() -> None:
    faults = [fault("crash_worker", "m0.w1"), fault("crash_manager", "m0"), fault("cut", "m1.w1")]
    tree = plan(job(task(batch(task(), task()))), faults=faults)
    assert [shown(tree, name) for name in ("j0.0", "j0.0.0.0")] == ["value 3", "value 1"]
    assert not has_races(tree)


def test_a_lost_attempt_that_may_run_once_only_is_a_crash() -> None:
    tree = job(task(batch(task(), at_most_once=True)))
    for kind, target in (
        ("crash_worker", "m0.w1"),
        ("crash_manager", "m0"),
        ("close", "m0.w1"),
        ("corrupt_frame", "m0"),
    ):
        side = "boss" if kind == "corrupt_frame" else ""
        assert shown(plan(tree, faults=[fault(kind, target, side=side)]), "j0.0.0.0") == "value 1 or crashed"
    assert shown(plan(tree), "j0.0.0.0") == "value 1"
    assert shown(plan(tree, faults=[fault("clog", "m0.w1", for_s=1.0)]), "j0.0.0.0") == "value 1"
    assert shown(plan(tree, faults=[fault("clog", "m0.w1", for_s=0.0)]), "j0.0.0.0") == "value 1 or crashed"


def test_only_the_ends_of_workers_are_somebodys_fault() -> None:
    tree = job(task(), crash_limit=2)
    workers = [fault("crash_worker", "m0.w1"), fault("cut", "m0.w2")]
    managers = [fault("crash_manager", "m0"), fault("cut", "m1"), fault("close", "m2")]
    assert shown(plan(tree, faults=workers)) == "value 1 or crashed"
    assert shown(plan(tree, faults=[*workers[:1], *managers])) == "value 1"


def test_poison_for_ever_is_a_crash_and_nothing_else() -> None:
    assert shown(plan(job(task(poison=-1), crash_limit=3))) == "crashed"
    assert shown(plan(job(task(poison=-1), at_most_once=True))) == "crashed"
    assert shown(plan(job(task(poison=-1), task(), crash_limit=3))) == "cancelled or crashed"


def test_an_items_own_poison_is_counted_exactly() -> None:
    assert shown(plan(job(task(poison=3), crash_limit=3))) == "crashed"
    assert shown(plan(job(task(poison=2), crash_limit=3))) == "value 1"
    assert (
        shown(plan(job(task(poison=3), crash_limit=3), faults=[fault("crash_manager", "m0")])) == "value 1 or crashed"
    )
    assert shown(plan(job(task(poison=3), crash_limit=3), job(task(poison=1), name="j1"))) == "value 1 or crashed"


def test_a_parent_may_be_blamed_for_poison_below_it_but_not_for_that_beside_it() -> None:
    poisoned = task(batch(task(batch(task(poison=1))), task(), crash_limit=1))
    of = plan(job(poisoned, crash_limit=1))
    assert shown(of, "j0.0.0.0") == "value 2 or crashed"
    assert shown(of, "j0.0.0.1") == "value 1 or cancelled"
    assert shown(of, "j0.0.0.0.0.0") == "value 1"
    assert shown(of) == "value 4 or crashed or error"


def test_poison_that_shares_its_parents_worker_may_not_be_blamed_itself() -> None:
    of = plan(job(task(batch(task(poison=2), crash_limit=2))))
    assert shown(of, "j0.0.0.0") == "value 1 or crashed"
    assert shown(of) == "value 2 or error"


def test_a_stubborn_task_beyond_the_grace_time_is_poison_to_its_worker() -> None:
    long = task(batch(task(Compute(6.0), stubborn=True), task(fails=-1)))
    of = plan(job(long, crash_limit=1))
    assert shown(of) == "crashed or error"
    assert shown(of, "j0.0.0.0") == "value 1 or cancelled"
    short = task(batch(task(Compute(1.0), stubborn=True), task(fails=-1)))
    assert shown(plan(job(short, crash_limit=1))) == "error"
    slow = [fault("slow_node", "m0.w1", for_s=1.0, factor=5.0)]
    assert shown(plan(job(short, crash_limit=1), faults=slow)) == "crashed or error"


# -- as a whole ------------------------------------------------------------------------------------------------------


def test_a_fate_allows_what_it_shows() -> None:
    fate = Fate(frozenset({3, 5}), frozenset({"error"}), frozenset({"cancelled"}))
    assert [fate.allows(Outcome("value", value)) for value in (3, 4, 5)] == [True, False, True]
    assert fate.allows(ERROR)
    assert not fate.allows(CANCELLED)
    assert fate.allows(CANCELLED, doomed=True)
    assert fate.only is None
    assert Fate(frozenset({3}), frozenset()).only == Outcome("value", 3)
    assert Fate(frozenset(), frozenset({"error"})).only == ERROR
    assert Fate(None, frozenset()).only is None
    assert Fate(None, frozenset()).allows(Outcome("value", 77))
    assert str(Fate(None, frozenset({"timeout"}))) == "any value or timeout"


def test_too_many_values_are_any_value() -> None:
    racy = task(*[batch(*[task() for _ in range(each + 1)], cancel_after_s=0.1, catch=True) for each in range(4)])
    levels = task(batch(racy, racy), batch(racy, task(), catch=True))
    fate = fates(plan(job(task(batch(levels, levels)))))["j0.0"]
    assert fate.values is None
    assert len(fates(plan(job(racy)))["j0.0"].values or ()) <= VALUES_MAX


def test_no_task_of_a_random_plan_is_without_an_outcome() -> None:
    for seed in range(400):
        for name, fate in fates(generate(seed)).items():
            assert fate.values is None or fate.values or fate.kinds, f"seed {seed}: {name} can end in no way"


def test_all_tasks_of_a_plan_have_a_fate() -> None:
    for seed in range(50):
        generated = generate(seed)
        names = [item.name for each in generated.jobs for item in each.items]
        found = fates(generated)
        assert all(found[name].is_reached for name in names)
        assert len(found) == 60


def test_plans_without_features_and_faults_have_no_races() -> None:
    for seed in range(100):
        quiet = generate(
            seed, faults=Faults.none(), features=Features.only("jobs", "items", "sync", "say", "talk", "how")
        )
        assert not has_races(quiet)
        total = sum(fate.only.value for name, fate in fates(quiet).items() if name.count(".") == 1 and fate.only)
        assert total == 60


def test_crashes_of_workers_and_managers_make_no_races_by_themselves() -> None:
    for seed in range(50):
        faults = Faults.only("crash_worker", "crash_manager", "cut", "close", "join_worker")
        made = generate(seed, faults=faults, features=Features.only("jobs", "items", "catch"))
        of_nodes = [fault for fault in made.faults if not fault.target.startswith("c")]
        assert not has_races(msgspec.structs.replace(made, faults=of_nodes))
