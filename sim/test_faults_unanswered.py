"""The faults that triort has no answer to today: what happens instead.

Where a check fails, it is expected to: such a scenario turns red once there is an answer, and its ``expected`` goes.
The others show what holds without one: what a silent link holds waits, and those who lose their server are told.
"""

from __future__ import annotations

import msgspec

from sim.scenarios import scenario
from sim.workloads import fault, flat, with_faults
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import FaultKind, Plan
from triort.testing._plan.support import EXPECTED, FOREVER_S
from triort.testing._plan.swarm import Faults

SEEDS = 12
HANGS = ("deadlock", "livelock", "liveness", "no_starvation", "tables_empty", "idle_truth", "nothing left", "rest")
"""What waiting for ever looks like: jobs that never end, and books that hold what nobody will ever answer."""


def only(seed: int, kind: FaultKind) -> Plan:
    """A random load on a small tree, with faults of this kind."""
    return msgspec.structs.replace(generate(seed, size=20, tree=[2, 2], faults=Faults.only(kind)), heal_s=20.0)


def silent(seed: int, kind: FaultKind, side: str = "") -> Plan:
    """The link of a manager that has work goes silent, for twice as long as will count as its end one day."""
    silence = fault(kind, f"m{seed % 2}", 0.02, for_s=2 * FOREVER_S, side=side)
    return with_faults(flat(seed, [2, 2], 60), silence)


@scenario(seeds=SEEDS, expected=EXPECTED[FaultKind.HALF_OPEN], expected_checks=HANGS)
def test_a_side_that_does_not_learn_of_the_end_of_its_link_finds_out(seed: int) -> Plan:
    return only(seed, FaultKind.HALF_OPEN)


@scenario(seeds=SEEDS, expected=EXPECTED[FaultKind.VANISH], expected_checks=HANGS)
def test_a_link_that_vanishes_is_found_out_by_both_sides(seed: int) -> Plan:
    return only(seed, FaultKind.VANISH)


@scenario(seeds=6, tiers=(2,), marks=("a silent connection is given up", "a session goes on over another connection"))
def test_real_nodes_dial_again_where_a_link_is_silent(seed: int) -> Plan:
    kind = (FaultKind.HALF_OPEN, FaultKind.VANISH)[seed % 2]
    return with_faults(flat(seed, [2, 2], 60), fault(kind, f"m{seed // 2 % 2}", 0.02, side="boss" if seed % 4 else ""))


@scenario(seeds=6, tiers=(2,), marks=("a link is over by time",))
def test_the_jobs_of_a_client_that_dies_end_with_its_lease(seed: int) -> Plan:
    return with_faults(flat(seed, [2, 2], 60), fault(FaultKind.CLIENT_DEATH, "c0", 0.02))


@scenario(seeds=SEEDS, tiers=(1,), expected=EXPECTED[FaultKind.STALE_INCARNATION])
def test_a_manager_that_was_given_up_may_come_back(seed: int) -> Plan:
    return only(seed, FaultKind.STALE_INCARNATION)


@scenario(seeds=4)
def test_what_a_manager_holds_that_nobody_hears_waits_for_a_minute(seed: int) -> Plan:
    """And is not lost. It will be run elsewhere with heartbeats."""
    return silent(seed, FaultKind.ONE_WAY, "boss")


@scenario(seeds=4)
def test_what_a_manager_holds_that_hears_nothing_waits_for_a_minute(seed: int) -> Plan:
    return silent(seed, FaultKind.ONE_WAY, "employee")


@scenario(seeds=4)
def test_what_a_manager_holds_that_is_cut_off_both_ways_waits_for_a_minute(seed: int) -> Plan:
    return silent(seed, FaultKind.CLOG)


@scenario(seeds=6)
def test_a_server_that_crashes_ends_all_and_clients_are_told(seed: int) -> Plan:
    """What happens without a journal. With one, jobs go on."""
    return only(seed, FaultKind.CRASH_SERVER)
