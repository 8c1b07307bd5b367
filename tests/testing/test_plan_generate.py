"""Random plans: valid, drawn by names, within what triort can stand, and rich."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import msgspec
import pytest

from triort._model.errors import UsageError
from triort._model.limits import FENCE_S, STALL_S
from triort.testing._plan.check import check_plan
from triort.testing._plan.choices import GENEROUS_S
from triort.testing._plan.codec import dump_plan
from triort.testing._plan.draws import Draws
from triort.testing._plan.generate import HEAL_S, generate, heal_of
from triort.testing._plan.plan import Batch, FaultKind, Plan, Task
from triort.testing._plan.risks import is_longer_than_grace, outlasts_grace
from triort.testing._plan.spans import span_of
from triort.testing._plan.support import core_of, ends_a_manager
from triort.testing._plan.swarm import FEATURES, Faults, Features, Swarm
from triort.testing._plan.trees import FAN_OUT_MAX, LEVELS_DRAWN, WORKERS_MAX
from triort.testing._plan.walk import all_tasks, batches_of, children_of

SEEDS = 400


def batches(plan: Plan) -> Iterator[Batch]:
    return (batch for task in all_tasks(plan) for batch in batches_of(task))


def items(plan: Plan) -> list[Task]:
    return [item for job in plan.jobs for item in job.items]


def without_options(task: Task) -> object:
    """What remains of a task and all below it when only names count."""
    return task.name, [[without_options(child) for child in batch.children] for batch in batches_of(task)]


@pytest.fixture(scope="module")
def plans() -> list[Plan]:
    return [generate(seed) for seed in range(SEEDS)]


def test_random_plans_are_valid(plans: list[Plan]) -> None:
    for plan in plans:
        check_plan(plan, f"seed {plan.seed}")


def test_a_plan_has_as_many_tasks_as_asked_for(plans: list[Plan]) -> None:
    assert {len(list(all_tasks(plan))) for plan in plans} == {60}
    for size in (1, 2, 7, 500):
        assert len(list(all_tasks(generate(3, size=size)))) == size


def test_a_seed_is_the_same_plan_in_every_process() -> None:
    code = (
        "from triort.testing._plan.generate import generate; from triort.testing._plan.codec import dump_plan;"
        "print(''.join(dump_plan(generate(seed)) for seed in range(5)))"
    )
    for hash_seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        assert done.stdout.rstrip() == "".join(dump_plan(generate(seed)) for seed in range(5)).rstrip()


# -- drawn by names --------------------------------------------------------------------------------------------------


def test_faults_leave_the_load_as_it_is(plans: list[Plan]) -> None:
    for plan in plans[:100]:
        quiet = generate(plan.seed, faults=Faults.none())
        assert quiet == msgspec.structs.replace(plan, faults=[])


def test_faults_of_one_kind_do_not_depend_on_others(plans: list[Plan]) -> None:
    for plan in plans[:100]:
        only = generate(plan.seed, faults=Faults.only("cut", "cancel_job"))
        for kind in (FaultKind.CUT, FaultKind.CANCEL_JOB):
            drawn = [fault for fault in plan.faults if fault.kind is kind]
            assert drawn in ([], [fault for fault in only.faults if fault.kind is kind])


def test_a_given_tree_leaves_tasks_as_they_are(plans: list[Plan]) -> None:
    for plan in plans[:100]:
        other = generate(plan.seed, tree=[3, 1, 2, 1, 1])
        assert other.tree == [3, 1, 2, 1, 1]
        assert [job.items for job in other.jobs] == [job.items for job in plan.jobs]


def test_a_feature_leaves_all_others_as_they_are(plans: list[Plan]) -> None:
    for plan in plans[:60]:
        for feature in ("say", "talk", "sync", "priority", "fails", "catch", "stubborn", "retries"):
            other = generate(plan.seed, features=Features.swarm().without(feature))
            pairs = list(zip(items(plan), items(other), strict=True))
            assert [without_options(left) for left, _ in pairs] == [without_options(right) for _, right in pairs]
            if feature == "priority":
                same = msgspec.structs.replace
                cleared = [[same(batch, priority=0, children=[]) for batch in batches(each)] for each in (plan, other)]
                assert cleared[0] == cleared[1]


def test_jobs_do_not_depend_on_each_other() -> None:
    for seed in range(50):
        plan = generate(seed, features=Features.only("jobs", "items", "fails", "catch"))
        large = generate(seed, size=120, features=Features.only("jobs", "items", "fails", "catch"))
        assert [job.name for job in plan.jobs] == [job.name for job in large.jobs]


class Recorder(Draws):
    """Notes under which names what is drawn."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.uses: dict[str, set[str]] = {}

    def unit(self, *names: str | int) -> float:
        self.uses.setdefault(".".join(map(str, names)), set()).add("unit")
        return super().unit(*names)

    def integer(self, n: int, *names: str | int) -> int:
        self.uses.setdefault(".".join(map(str, names)), set()).add(f"integer {n}")
        return super().integer(n, *names)


def test_no_two_different_choices_hang_on_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    recorders: list[Recorder] = []

    def record(seed: int) -> Recorder:
        recorders.append(Recorder(seed))
        return recorders[-1]

    monkeypatch.setattr("triort.testing._plan.generate.Draws", record)
    for seed in range(100):
        generate(seed)
    for recorder in recorders:
        assert {name: uses for name, uses in recorder.uses.items() if len(uses) > 1} == {}


# -- what is asked for -----------------------------------------------------------------------------------------------


def test_trees_are_drawn_or_given(plans: list[Plan]) -> None:
    assert {len(plan.tree) for plan in plans} == set(range(1, LEVELS_DRAWN + 1))
    assert {fan_out for plan in plans for fan_out in plan.tree} == set(range(1, FAN_OUT_MAX + 1))
    for plan in plans:
        workers = 1
        for fan_out in plan.tree:
            workers *= fan_out
        assert workers <= WORKERS_MAX
    assert {len(generate(seed, levels=5).tree) for seed in range(20)} == {5}
    assert generate(1, tree=[9, 9]).tree == [9, 9]
    assert generate(1, latency=["wan"]).latency == ["wan"]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="size is a number of tasks from 1"):
        generate(1, size=0)
    with pytest.raises(UsageError, match="levels is a number from 1 to 16, not 0"):
        generate(1, levels=0)
    with pytest.raises(
        UsageError, match="unknown fault kind 'crash_wroker'; did you mean 'crash_worker'\\? There are: crash_worker, "
    ):
        Faults.only("cut", "crash_wroker")
    with pytest.raises(UsageError, match=r"unknown feature 'xyz'\. There are: jobs, "):
        Features.only("xyz")
    with pytest.raises(UsageError, match="unknown name 'cut'"):
        Faults.none().without("cut")


def test_only_the_faults_asked_for_come() -> None:
    for seed in range(50):
        kinds = {fault.kind.value for fault in generate(seed, faults=Faults.only("cut", "clog"), tree=[3, 3]).faults}
        assert kinds == {"cut", "clog"}
        assert generate(seed, faults=Faults.none()).faults == []


def test_links_are_parted_short_of_each_limit_and_beyond(plans: list[Plan]) -> None:
    cuts = [fault for plan in plans for fault in plan.faults if fault.kind in ("cut", "vanish", "half_open")]
    for low_s, high_s in pairwise((0.0, 0.5, STALL_S, FENCE_S, 2 * FENCE_S)):
        assert any(low_s < fault.for_s < high_s for fault in cuts)
    assert any(not fault.for_s for fault in cuts)
    assert not any(fault.for_s for fault in cuts if ".w" in fault.target)


def test_buggify_points_are_drawn_by_name() -> None:
    drawn = [generate(seed, buggify=["drop", "late"]).buggify for seed in range(100)]
    assert {tuple(sorted(each)) for each in drawn} == {(), ("drop",), ("late",), ("drop", "late")}
    assert all(0.0 <= often <= 1.0 for each in drawn for often in each.values())
    alone = [generate(seed, buggify=["late"]).buggify for seed in range(100)]
    assert [each.get("late") for each in drawn] == [each.get("late") for each in alone]


# -- what triort can stand -------------------------------------------------------------------------------------------


def test_one_way_down_the_managers_stays_whole(plans: list[Plan]) -> None:
    hit = 0
    for plan in plans:
        assert core_of(plan.tree, plan.faults) is not None, f"seed {plan.seed}"
        hit += any(ends_a_manager(fault) for fault in plan.faults)
    assert hit > SEEDS / 20


def test_the_whole_way_is_not_always_the_first() -> None:
    ways = {tuple(core_of([3, 2, 1], generate(seed, tree=[3, 2, 1]).faults) or ()) for seed in range(200)}
    assert len(ways) >= 3


def test_what_kills_for_ever_is_an_item_with_a_small_crash_limit(plans: list[Plan]) -> None:
    found = 0
    for plan in plans:
        for job in plan.jobs:
            for item in job.items:
                if item.poison < 0 or outlasts_grace(item, 1.0):
                    assert job.crash_limit <= 3
                    found += 1
        below = [child for task in all_tasks(plan) for child in children_of(task)]
        assert not [task for task in below if task.poison < 0 or outlasts_grace(task, 20.0)]
    assert found > 10


def test_deadly_tasks_below_items_come_only_when_asked_for() -> None:
    deadly = Features.only(*FEATURES, "deadly").without("at_most_once")
    plans = [generate(seed, features=deadly) for seed in range(100)]
    below = [child for plan in plans for task in all_tasks(plan) for child in children_of(task)]
    assert [task for task in below if task.poison < 0]
    assert [task for task in below if task.stubborn and is_longer_than_grace(task, 1.0)]


def test_poisoned_loads_get_more_time() -> None:
    plain = generate(1, features=Features.none())
    assert plain.heal_s == heal_of(plain.jobs) == HEAL_S
    random = [generate(seed) for seed in range(100)]
    poisoned = [plan for plan in random if any(task.poison for task in all_tasks(plan))]
    assert poisoned
    assert all(plan.heal_s > HEAL_S for plan in poisoned)


def test_faults_come_while_there_is_load(plans: list[Plan]) -> None:
    for plan in plans:
        end_s = max(job.at_s for job in plan.jobs) + span_of(plan.jobs, plan.tree, plan.latency)
        assert all(fault.at_s <= 1.3 * end_s for fault in plan.faults)
        assert [fault.at_s for fault in plan.faults] == sorted(fault.at_s for fault in plan.faults)
        assert all(fault.for_s > 0 for fault in plan.faults if fault.kind in (FaultKind.CLOG, FaultKind.ONE_WAY))


# -- rich ------------------------------------------------------------------------------------------------------------


def test_each_kind_of_fault_is_on_in_about_half_of_the_plans() -> None:
    wide = [generate(seed, tree=[3, 3]) for seed in range(SEEDS)]
    counts = Counter(kind for plan in wide for kind in {fault.kind.value for fault in plan.faults})
    assert set(counts) == {*Faults.swarm().names, "crash_server"}
    assert all(0.4 * SEEDS < count < 0.6 * SEEDS for count in counts.values()), counts


def test_all_ways_of_a_batch_come(plans: list[Plan]) -> None:
    drawn = [batch for plan in plans for batch in batches(plan)]
    assert {batch.how for batch in drawn} == {"map", "next", "as_completed", "submit", "nursery"}
    assert {batch.wait for batch in drawn} == {batch.catch for batch in drawn} == {True, False}
    assert {batch.shared for batch in drawn} == {batch.at_most_once for batch in drawn} == {True, False}
    assert {batch.priority for batch in drawn} == {-2, -1, 0, 1, 2}
    assert {batch.retries for batch in drawn} == {batch.talk for batch in drawn} == {0, 1, 2, 3}
    assert {batch.crash_limit for batch in drawn} == {1, 2, 3, 1_000_000}
    assert any(batch.cancel_after_s for batch in drawn)
    assert not [batch for batch in drawn if batch.how in ("next", "as_completed", "nursery") and not batch.wait]
    timeouts = [batch.timeout_s for batch in drawn if batch.timeout_s is not None]
    assert timeouts.count(GENEROUS_S) > len(timeouts) / 3
    assert min(timeouts) < 0.01


def test_all_kinds_of_tasks_come(plans: list[Plan]) -> None:
    drawn = [task for plan in plans for task in all_tasks(plan)]
    assert {task.function for task in drawn} == {"f", "g", "h"}
    assert {task.is_async for task in drawn} == {task.stubborn for task in drawn} == {True, False}
    assert {task.fails for task in drawn} == {-1, 0, 1, 2, 3}
    assert {task.poison for task in drawn} == {-1, 0, 1, 2}
    assert {type(step).__name__ for task in drawn for step in task.steps} == {"Compute", "Listen", "Say", "Batch"}


def test_jobs_come_in_all_numbers_at_all_times(plans: list[Plan]) -> None:
    assert {len(plan.jobs) for plan in plans} == {1, 2, 3, 4}
    assert {len(job.items) for plan in plans for job in plan.jobs} == {1, 2, 3, 4, 5, 6}
    assert {job.client for plan in plans for job in plan.jobs} == {"c0", "c1", "c2"}
    later = [job.at_s for plan in plans for job in plan.jobs if job.at_s]
    assert len(later) > 50


def test_a_swarm_has_a_part_on_and_a_part_off() -> None:
    counts = Counter(len(Features.swarm().drawn(Draws(seed), "feature")) for seed in range(200))
    assert min(counts) > 2
    assert max(counts) < len(FEATURES) - 2
    assert Swarm(("a",), 1.0).drawn(Draws(1), "x") == ["a"]
