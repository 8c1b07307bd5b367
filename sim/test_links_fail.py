"""Links between machines that break, go silent, one way or both, or are parted for a while: short of each limit, or
longer.

A connection that breaks is replaced, and nothing shows. What is silent for longer than the fence is given up: first by
the employee, which stops its work, then by its boss, who has it done elsewhere.
"""

from __future__ import annotations

import msgspec

from sim.failures import HEAL_S, LINK_TREES, links_cut, parted
from sim.scenarios import scenario
from sim.workloads import fault, flat, with_faults
from triort._model.limits import FENCE_S, STALL_S, STOP_S
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import FaultKind, Plan
from triort.testing._plan.swarm import Faults

SEEDS = 6
BREAKS = (FaultKind.CUT, FaultKind.CLOSE, FaultKind.HALF_OPEN, FaultKind.VANISH)


def only(seed: int, *kinds: FaultKind) -> Plan:
    """A random load on a small tree, with faults of these kinds."""
    made = generate(seed, size=20, tree=LINK_TREES[seed % len(LINK_TREES)], faults=Faults.only(*kinds))
    return msgspec.structs.replace(made, heal_s=made.heal_s + HEAL_S)


@scenario(seeds=SEEDS, marks=("a silent connection is given up", "a session goes on over another connection"))
def test_a_side_that_does_not_learn_of_the_end_of_its_connection_finds_out(seed: int) -> Plan:
    return only(seed, FaultKind.HALF_OPEN)


@scenario(seeds=SEEDS)
def test_a_connection_that_vanishes_is_found_out_by_both_sides(seed: int) -> Plan:
    return only(seed, FaultKind.VANISH)


@scenario(seeds=SEEDS)
def test_a_manager_that_was_given_up_serves_again(seed: int) -> Plan:
    return only(seed, FaultKind.STALE_INCARNATION)


@scenario(seeds=SEEDS)
def test_links_that_break_in_all_ways_lose_no_task(seed: int) -> Plan:
    return only(seed, *BREAKS)


@scenario(seeds=9)
def test_links_may_break_again_and_again(seed: int) -> Plan:
    return links_cut(seed, 30)


@scenario(seeds=60, tiers=(1,))
def test_many_links_may_break_again_and_again(seed: int) -> Plan:
    return links_cut(seed, 10 * (1 + seed % 6))


@scenario(seeds=SEEDS)
def test_a_link_that_is_parted_for_less_than_the_stall_goes_on(seed: int) -> Plan:
    return parted(seed, 0.01, STALL_S)


@scenario(seeds=SEEDS)
def test_a_link_that_is_parted_for_longer_than_the_stall_goes_on(seed: int) -> Plan:
    return parted(seed, STALL_S, STOP_S)


@scenario(seeds=SEEDS)
def test_a_link_that_heals_between_the_stop_and_the_fence_is_over(seed: int) -> Plan:
    return parted(seed, STOP_S, FENCE_S)


@scenario(seeds=SEEDS)
def test_a_link_that_heals_after_the_fence_is_over(seed: int) -> Plan:
    return parted(seed, FENCE_S, 2 * FENCE_S)


@scenario(seeds=4)
def test_what_a_manager_holds_that_nobody_hears_runs_elsewhere(seed: int) -> Plan:
    return with_faults(flat(seed, [2, 2], 60), fault(FaultKind.ONE_WAY, f"m{seed % 2}", 0.02, for_s=60.0, side="boss"))
