"""The server is killed, once or again and again, and started anew; with a journal its jobs go on.

Its managers find that it is gone, or meet the next one before. Its clients come back, are told again what they have
heard, and hear the rest.
"""

from __future__ import annotations

import msgspec

from sim.failures import server_killed
from sim.scenarios import scenario
from sim.workloads import flat
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import Plan
from triort.testing._plan.swarm import Faults


@scenario(seeds=9)
def test_the_jobs_of_a_server_with_a_journal_go_on_when_it_is_started_again(seed: int) -> Plan:
    return server_killed(seed, 1)


@scenario(seeds=6)
def test_a_server_with_a_journal_may_be_killed_again_and_again(seed: int) -> Plan:
    return server_killed(seed, 5)


@scenario(seeds=60, tiers=(1,))
def test_many_servers_with_a_journal_may_be_killed_again_and_again(seed: int) -> Plan:
    return server_killed(seed, 1 + seed % 6)


@scenario(seeds=6)
def test_the_jobs_of_a_server_without_a_journal_are_lost_and_clients_are_told(seed: int) -> Plan:
    return server_killed(seed, 1, journal=False)


@scenario(seeds=6)
def test_a_server_that_is_killed_among_other_faults_loses_no_accepted_job(seed: int) -> Plan:
    kinds = ("crash_server", "crash_manager", "crash_worker", "cut", "vanish")
    made = generate(seed, size=30, levels=2, faults=Faults.only(*kinds))
    return msgspec.structs.replace(made, journal=True, heal_s=made.heal_s + 90.0)


@scenario(seeds=4)
def test_without_faults_a_journal_changes_nothing(seed: int) -> Plan:
    return msgspec.structs.replace(flat(seed, [2, 2], 60), journal=True)
