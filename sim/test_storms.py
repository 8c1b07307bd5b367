"""Cancel storms: all is cancelled at one moment, from several places, while results come; and cancels that race."""

from __future__ import annotations

from sim.scenarios import scenario
from sim.workloads import fault, storm, with_faults
from triort.testing._plan.draws import Draws
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import FaultKind, Plan
from triort.testing._plan.swarm import Faults, Features

CANCELS = Faults.only("cancel_job", "cancel_race", "cancel_storm")


@scenario(seeds=1, tiers=(1,), marks=("a queued task is cancelled",))
def test_ten_thousand_tasks_on_a_hundred_workers_are_cancelled_from_five_places_at_once(seed: int) -> Plan:
    return storm(seed, [10, 10], num_parents=20, num_children=100)


@scenario(seeds=1, tiers=(2,), marks=("a queued task is cancelled",))
def test_a_thousand_tasks_on_real_nodes_are_cancelled_from_five_places_at_once(seed: int) -> Plan:
    return storm(seed, [5, 5], num_parents=10, num_children=20)


@scenario(seeds=4)
def test_small_storms_leave_nothing_behind(seed: int) -> Plan:
    return storm(seed, [2, 3], num_parents=3, num_children=6)


@scenario(seeds=20, tiers=(1,))
def test_storms_in_high_trees_leave_nothing_behind(seed: int) -> Plan:
    return storm(seed, [2, 2, 2], num_parents=3, num_children=6)


@scenario(seeds=20, tiers=(1,))
def test_a_storm_may_come_while_managers_and_workers_go(seed: int) -> Plan:
    """They go at the moment of the storm, or within a few milliseconds of it."""
    before = storm(seed, [3, 2], num_parents=3, num_children=5)
    draws = Draws(seed)
    at_s = before.faults[0].at_s
    targets = {"m1": FaultKind.CUT, "m2": FaultKind.CRASH_MANAGER, "m0.w1": FaultKind.CRASH_WORKER}
    ends = [
        fault(kind, target, max(at_s + draws.uniform(-5e-3, 5e-3, "end", target), 0.0))
        for target, kind in targets.items()
    ]
    return with_faults(before, *ends)


@scenario(seeds=6)
def test_cancels_race_results(seed: int) -> Plan:
    """Each job is cancelled at the moment at which an outcome leaves a worker."""
    before = generate(seed, size=25, faults=Faults.none(), features=Features.swarm().also("jobs", "clients", "items"))
    draws = Draws(seed)
    races = [
        fault(FaultKind.CANCEL_RACE, job.name, job.at_s + draws.uniform(0.0, 5e-3, "race", job.name))
        for job in before.jobs
    ]
    return with_faults(before, *races)


@scenario(seeds=45, tiers=(1,))
def test_jobs_are_cancelled_in_all_ways(seed: int) -> Plan:
    return generate(seed, faults=CANCELS)
