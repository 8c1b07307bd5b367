"""The server is killed, once or again and again, and started anew; with a journal its jobs go on.

Its managers find that it is gone, or meet the next one before. Its clients come back, are told again what they have
heard, and hear the rest.
"""

from __future__ import annotations

import msgspec

from sim.scenarios import scenario
from sim.workloads import fault, flat, job, leaf, parent, plan, with_faults
from triort.testing._plan.draws import Draws
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import FaultKind, Plan
from triort.testing._plan.swarm import Faults

TREES = ([2, 2], [3], [1, 2, 1])


def killed(seed: int, times: int, *, journal: bool = True, downtime_s: float = 0.2) -> Plan:
    """Nested work of two clients, and a server that is killed so many times in the midst of it."""
    draws = Draws(seed)
    jobs = []
    for number in range(2):
        items = [parent([leaf(draws.exponential(0.05, number, each, child)) for child in range(4)])
                 for each in range(4)]  # fmt: skip
        jobs.append(job(f"j{number}", items, client=f"c{number}", at_s=0.1 * number, at_most_once=number == 1))
    at_s, faults = 0.0, []
    for number in range(times):
        for_s = round(draws.exponential(downtime_s, "killed", number, "for") + 1e-3, 4)
        at_s += draws.uniform(0.0, 0.5, "killed", number, "at")
        faults.append(fault(FaultKind.CRASH_SERVER, "s", at_s, for_s=for_s))
        at_s += for_s
    made = with_faults(plan(seed, TREES[seed % len(TREES)], jobs, heal_s=120.0), *faults)
    return msgspec.structs.replace(made, journal=journal)


@scenario(seeds=9)
def test_the_jobs_of_a_server_with_a_journal_go_on_when_it_is_started_again(seed: int) -> Plan:
    return killed(seed, 1)


@scenario(seeds=6)
def test_a_server_with_a_journal_may_be_killed_again_and_again(seed: int) -> Plan:
    return killed(seed, 5)


@scenario(seeds=60, tiers=(1,))
def test_many_servers_with_a_journal_may_be_killed_again_and_again(seed: int) -> Plan:
    return killed(seed, 1 + seed % 6)


@scenario(seeds=6)
def test_the_jobs_of_a_server_without_a_journal_are_lost_and_clients_are_told(seed: int) -> Plan:
    return killed(seed, 1, journal=False)


@scenario(seeds=6)
def test_a_server_that_is_killed_among_other_faults_loses_no_accepted_job(seed: int) -> Plan:
    kinds = ("crash_server", "crash_manager", "crash_worker", "cut", "vanish")
    made = generate(seed, size=30, levels=2, faults=Faults.only(*kinds))
    return msgspec.structs.replace(made, journal=True, heal_s=made.heal_s + 90.0)


@scenario(seeds=4)
def test_without_faults_a_journal_changes_nothing(seed: int) -> Plan:
    return msgspec.structs.replace(flat(seed, [2, 2], 60), journal=True)
