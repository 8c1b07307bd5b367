"""Clients that go: without a word, for a while, or for longer than their lease.

A client that comes back in time gets all its results. Of one that does not, the jobs that are open are cancelled.
"""

from __future__ import annotations

import msgspec

from sim.scenarios import scenario
from sim.workloads import fault, flat, job, leaf, parent, plan, with_faults
from triort._model.limits import LEASE_S, STALL_S, STOP_S
from triort.testing._plan.draws import Draws
from triort.testing._plan.plan import FaultKind, Plan

SEEDS = 3


def patient(seed: int) -> Plan:
    """Two clients, whose jobs take about a minute and a half."""
    draws = Draws(seed)
    jobs = []
    for number in range(2):
        items = [parent([leaf(draws.uniform(10.0, 40.0, number, each, child)) for child in range(3)])
                 for each in range(2)]  # fmt: skip
        jobs.append(job(f"j{number}", items, client=f"c{number}"))
    made = plan(seed, [2, 2], jobs, latency=["lan"], heal_s=300.0)
    return msgspec.structs.replace(made, journal=seed % 2 == 0)


def away(seed: int, low_s: float, high_s: float) -> Plan:
    """One of the clients cannot reach the server for some time."""
    draws = Draws(seed)
    for_s = round(draws.uniform(low_s, high_s, "away"), 3)
    kind = draws.choice((FaultKind.CUT, FaultKind.VANISH, FaultKind.CLOG), "away", "kind")
    return with_faults(patient(seed), fault(kind, "c0", draws.uniform(0.5, 20.0, "away", "at"), for_s=for_s))


@scenario(seeds=SEEDS, marks=("a client leaves with a job open",))
def test_the_jobs_of_a_client_that_dies_end_with_its_lease(seed: int) -> Plan:
    return with_faults(patient(seed), fault(FaultKind.CLIENT_DEATH, "c0", Draws(seed).uniform(0.5, 20.0, "death")))


@scenario(seeds=4, tiers=(2,), marks=("a link is over by time",))
def test_the_link_of_a_client_that_dies_is_over_by_time(seed: int) -> Plan:
    return with_faults(flat(seed, [2, 2], 60), fault(FaultKind.CLIENT_DEATH, "c0", 0.02))


@scenario(seeds=SEEDS)
def test_a_client_that_is_away_for_a_moment_misses_nothing(seed: int) -> Plan:
    return away(seed, 0.01, STALL_S)


@scenario(seeds=SEEDS)
def test_a_client_that_is_away_for_less_than_its_lease_misses_nothing(seed: int) -> Plan:
    return away(seed, STALL_S, STOP_S)


@scenario(seeds=SEEDS)
def test_a_client_that_is_away_for_about_its_lease_is_told_one_way_or_the_other(seed: int) -> Plan:
    return away(seed, STOP_S, LEASE_S)


@scenario(seeds=SEEDS)
def test_a_client_that_is_away_for_longer_has_lost_its_jobs(seed: int) -> Plan:
    return away(seed, LEASE_S, 3 * LEASE_S)
