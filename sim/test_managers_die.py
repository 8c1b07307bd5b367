"""Managers that are killed, at every level, and come back after a while or never.

Who is below a manager that was killed waits until it hears of the next one, or that its time is over. What it ran is
run elsewhere meanwhile, or by itself as another incarnation.
"""

from __future__ import annotations

import msgspec

from sim.failures import managers_killed
from sim.scenarios import scenario
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import Plan
from triort.testing._plan.swarm import Faults

SEEDS = 10


@scenario(seeds=SEEDS)
def test_a_manager_that_is_killed_is_back_before_those_below_give_it_up(seed: int) -> Plan:
    return managers_killed(seed, 1, 0.5)


@scenario(seeds=SEEDS)
def test_managers_may_be_killed_again_and_again(seed: int) -> Plan:
    return managers_killed(seed, 6, 0.3)


@scenario(seeds=5)
def test_those_below_a_manager_that_stays_away_give_it_up_and_meet_it_later(seed: int) -> Plan:
    return managers_killed(seed, 2, 30.0)


@scenario(seeds=80, tiers=(1,))
def test_managers_are_killed_in_all_ways(seed: int) -> Plan:
    return managers_killed(seed, 1 + seed % 8, (0.05, 0.5, 5.0, 40.0)[seed % 4])


@scenario(seeds=6)
def test_managers_die_while_others_join_and_links_break(seed: int) -> Plan:
    kinds = ("crash_manager", "join_manager", "join_worker", "cut", "vanish", "stale_incarnation")
    made = generate(seed, size=30, levels=2 + seed % 2, faults=Faults.only(*kinds))
    return msgspec.structs.replace(made, heal_s=made.heal_s + 90.0)
