"""Tasks that kill their workers, next to their ancestors; tasks that ignore their cancel; who is blamed."""

from __future__ import annotations

from sim.scenarios import scenario
from sim.workloads import costly, held_up, poisoned, stubborn
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import Plan
from triort.testing._plan.swarm import Faults, Features

TREES = ([1], [2], [1, 1], [1, 2], [2, 2])
DEADLY = Features.only("poison", "crash_limit", "at_most_once", "items", "sync", "catch")
STUBBORN = Features.only("stubborn", "cancel_after", "catch", "items", "sync", "fails", "open")


@scenario(seeds=10)
def test_poison_is_told_apart_from_its_ancestors_on_the_same_worker(seed: int) -> Plan:
    return poisoned(seed, TREES[seed % len(TREES)])


@scenario(seeds=4, marks=("a job has cost too many workers",))
def test_a_job_that_costs_too_many_workers_is_stopped(seed: int) -> Plan:
    return costly(seed, TREES[seed % len(TREES)])


@scenario(seeds=10)
def test_a_child_that_kills_each_worker_of_its_parent_ends_the_job(seed: int) -> Plan:
    return poisoned(seed, TREES[seed % len(TREES)], is_forever=True)


@scenario(seeds=3, tiers=(1,), marks=("a suspect runs alone on a fresh worker", "a suspect runs among others"))
def test_suspects_do_not_wait_for_ever_for_a_worker_of_their_own(seed: int) -> Plan:
    return held_up(seed, ([3], [1, 4], [2, 2])[seed % 3])


@scenario(seeds=6, marks=("a task has crashed for good",))
def test_a_task_that_kills_its_workers_is_given_up(seed: int) -> Plan:
    return generate(seed, size=20, faults=Faults.none(), features=DEADLY)


@scenario(seeds=40, tiers=(1,), marks=("a task dies with the worker of an ancestor",))
def test_poison_and_faults_are_told_apart(seed: int) -> Plan:
    return generate(seed, faults=Faults.only("crash_worker", "cut"), features=DEADLY.also("retries", "talk"))


@scenario(seeds=5)
def test_stubborn_tasks_are_cancelled_all_the_same(seed: int) -> Plan:
    return generate(seed, size=20, faults=Faults.none(), features=STUBBORN)


@scenario(seeds=5, marks=("a task that ignores its cancel costs its worker",))
def test_tasks_that_ignore_their_cancel_for_too_long_cost_their_worker(seed: int) -> Plan:
    return stubborn(seed, TREES[seed % len(TREES)])


@scenario(seeds=40, tiers=(1,))
def test_jobs_of_stubborn_tasks_are_cancelled(seed: int) -> Plan:
    return generate(seed, faults=Faults.only("cancel_job", "cancel_storm"), features=STUBBORN)
