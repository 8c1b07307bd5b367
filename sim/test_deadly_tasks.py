"""Tasks that kill their workers, next to their ancestors; tasks that ignore their cancel; who is blamed."""

from __future__ import annotations

from sim.scenarios import scenario
from sim.workloads import poisoned
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import Plan
from triort.testing._plan.swarm import Faults, Features

TREES = ([1], [2], [1, 1], [1, 2], [2, 2])
DEADLY = Features.only("poison", "crash_limit", "at_most_once", "items", "sync", "catch")
STUBBORN = Features.only("stubborn", "cancel_after", "catch", "items", "sync", "fails", "open")


@scenario(seeds=10, marks=("a task has crashed for good",))
def test_poison_is_told_apart_from_its_ancestors_on_the_same_worker(seed: int) -> Plan:
    return poisoned(seed, TREES[seed % len(TREES)])


@scenario(seeds=6)
def test_a_task_that_kills_its_workers_is_given_up(seed: int) -> Plan:
    return generate(seed, size=20, faults=Faults.none(), features=DEADLY)


@scenario(seeds=60, tiers=(1,))
def test_poison_and_faults_are_told_apart(seed: int) -> Plan:
    return generate(seed, faults=Faults.only("crash_worker", "cut"), features=DEADLY.also("retries", "talk"))


@scenario(seeds=5)
def test_stubborn_tasks_are_cancelled_all_the_same(seed: int) -> Plan:
    return generate(seed, size=20, faults=Faults.none(), features=STUBBORN)


@scenario(seeds=60, tiers=(1,), marks=("a task that ignores its cancel costs its worker",))
def test_jobs_of_stubborn_tasks_are_cancelled(seed: int) -> Plan:
    return generate(seed, faults=Faults.only("cancel_job", "cancel_storm"), features=STUBBORN)
