"""Each kind of fault alone: on random trees and loads nothing else goes wrong."""

from __future__ import annotations

from sim.scenarios import scenario
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import FaultKind, Plan
from triort.testing._plan.swarm import Faults

SEEDS = 3
KINDS = list(FaultKind)
SIZE = 30


def only(seed: int, *kinds: FaultKind, levels: int | None = None) -> Plan:
    """A random load, which meets these faults and no others."""
    return generate(seed, size=SIZE, levels=levels, faults=Faults.only(*kinds))


@scenario(seeds=SEEDS, marks=("a lost task is submitted again",))
def test_workers_that_crash_are_replaced_and_their_tasks_run_again(seed: int) -> Plan:
    return only(seed, FaultKind.CRASH_WORKER)


@scenario(seeds=SEEDS)
def test_a_manager_that_crashes_takes_all_below_it_along_and_no_task(seed: int) -> Plan:
    return only(seed, FaultKind.CRASH_MANAGER, levels=2 + seed % 2)


@scenario(seeds=SEEDS)
def test_workers_may_join_at_any_time(seed: int) -> Plan:
    return only(seed, FaultKind.JOIN_WORKER)


@scenario(seeds=SEEDS)
def test_managers_may_join_at_any_time(seed: int) -> Plan:
    return only(seed, FaultKind.JOIN_MANAGER, levels=2 + seed % 2)


@scenario(seeds=SEEDS)
def test_a_link_that_is_closed_in_order_loses_no_task(seed: int) -> Plan:
    return only(seed, FaultKind.CLOSE)


@scenario(seeds=SEEDS)
def test_a_link_that_breaks_loses_no_task(seed: int) -> Plan:
    return only(seed, FaultKind.CUT)


@scenario(seeds=SEEDS)
def test_a_frame_that_cannot_be_read_ends_its_link_alone(seed: int) -> Plan:
    return only(seed, FaultKind.CORRUPT_FRAME)


@scenario(seeds=SEEDS)
def test_a_link_that_is_clogged_for_a_while_is_waited_for(seed: int) -> Plan:
    return only(seed, FaultKind.CLOG)


@scenario(seeds=SEEDS)
def test_a_link_that_is_silent_one_way_for_a_while_is_waited_for(seed: int) -> Plan:
    return only(seed, FaultKind.ONE_WAY)


@scenario(seeds=SEEDS)
def test_slow_nodes_are_only_slow(seed: int) -> Plan:
    return only(seed, FaultKind.SLOW_NODE)


@scenario(seeds=SEEDS)
def test_slow_readers_are_only_slow(seed: int) -> Plan:
    return only(seed, FaultKind.SLOW_READER)


@scenario(seeds=SEEDS)
def test_a_clock_that_jumps_moves_deadlines_and_nothing_else(seed: int) -> Plan:
    return only(seed, FaultKind.CLOCK_OFFSET)


@scenario(seeds=SEEDS)
def test_a_clock_that_drifts_moves_deadlines_and_nothing_else(seed: int) -> Plan:
    return only(seed, FaultKind.CLOCK_DRIFT)


@scenario(seeds=SEEDS)
def test_a_job_may_be_cancelled_at_any_time(seed: int) -> Plan:
    return only(seed, FaultKind.CANCEL_JOB)


@scenario(seeds=SEEDS)
def test_all_jobs_may_be_cancelled_at_once(seed: int) -> Plan:
    return only(seed, FaultKind.CANCEL_STORM)


@scenario(seeds=SEEDS)
def test_a_cancel_may_race_a_result(seed: int) -> Plan:
    return only(seed, FaultKind.CANCEL_RACE)


@scenario(seeds=SEEDS)
def test_a_client_that_dies_takes_its_jobs_along_and_no_others(seed: int) -> Plan:
    return only(seed, FaultKind.CLIENT_DEATH)


@scenario(seeds=SEEDS)
def test_a_second_client_may_come_under_the_same_name(seed: int) -> Plan:
    return only(seed, FaultKind.DUPLICATE_CLIENT)


@scenario(seeds=3 * len(KINDS), tiers=(1,))
def test_each_fault_alone_is_survived_by_larger_loads(seed: int) -> Plan:
    """Another kind with each seed."""
    return generate(seed, faults=Faults.only(KINDS[seed % len(KINDS)]))


@scenario(seeds=3 * len(KINDS), tiers=(1,))
def test_each_fault_goes_with_each_other(seed: int) -> Plan:
    """Another two kinds with each seed."""
    first, step = seed % len(KINDS), 1 + seed // len(KINDS)
    return generate(seed, faults=Faults.only(KINDS[first], KINDS[(first + step) % len(KINDS)]))
