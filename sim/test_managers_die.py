"""Managers that are killed, at every level, and come back after a while or never.

Who is below a manager that was killed waits until it hears of the next one, or that its time is over. What it ran is
run elsewhere meanwhile, or by itself as another incarnation.
"""

from __future__ import annotations

import msgspec

from sim.scenarios import scenario
from sim.workloads import fault, job, leaf, parent, plan, with_faults
from triort.testing._plan.draws import Draws
from triort.testing._plan.generate import generate
from triort.testing._plan.names import managers_of
from triort.testing._plan.plan import FaultKind, Plan
from triort.testing._plan.swarm import Faults

TREES = ([2, 2], [1, 2], [2, 2, 1], [1, 2, 2], [1, 1, 1, 2])
SEEDS = 10


def nested(seed: int) -> Plan:
    """Work three levels deep, all over a tree, for a few seconds."""
    draws = Draws(seed)

    def branch(*names: int) -> list:
        if len(names) == 2:
            return [leaf(draws.heavy_tail(0.05, 2.0, *names, number)) for number in range(3)]
        return [parent(branch(*names, number), 0.01, is_async=draws.chance(0.7, *names)) for number in range(3)]

    return plan(seed, TREES[seed % len(TREES)], [job("j0", branch())], heal_s=120.0)


def killed(seed: int, times: int, away_s: float) -> Plan:
    """Managers are killed so many times, and are back after about so long."""
    draws = Draws(seed)
    made = nested(seed)
    managers = managers_of(made.tree)
    faults = []
    for number in range(times):
        for_s = round(draws.exponential(away_s, "killed", number, "for") + 1e-3, 4)
        target = draws.choice(managers, "killed", number, "who")
        faults.append(fault(FaultKind.CRASH_MANAGER, target, draws.uniform(0.0, 1.5, "killed", number), for_s=for_s))
    return with_faults(made, *faults)


@scenario(seeds=SEEDS)
def test_a_manager_that_is_killed_is_back_before_those_below_give_it_up(seed: int) -> Plan:
    return killed(seed, 1, 0.5)


@scenario(seeds=SEEDS)
def test_managers_may_be_killed_again_and_again(seed: int) -> Plan:
    return killed(seed, 6, 0.3)


@scenario(seeds=5)
def test_those_below_a_manager_that_stays_away_give_it_up_and_meet_it_later(seed: int) -> Plan:
    return killed(seed, 2, 30.0)


@scenario(seeds=80, tiers=(1,))
def test_managers_are_killed_in_all_ways(seed: int) -> Plan:
    return killed(seed, 1 + seed % 8, (0.05, 0.5, 5.0, 40.0)[seed % 4])


@scenario(seeds=6)
def test_managers_die_while_others_join_and_links_break(seed: int) -> Plan:
    kinds = ("crash_manager", "join_manager", "join_worker", "cut", "vanish", "stale_incarnation")
    made = generate(seed, size=30, levels=2 + seed % 2, faults=Faults.only(*kinds))
    return msgspec.structs.replace(made, heal_s=made.heal_s + 90.0)
