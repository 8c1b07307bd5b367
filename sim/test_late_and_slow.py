"""Nodes that join late, go slowly, read slowly, or have clocks of their own."""

from __future__ import annotations

from sim.scenarios import scenario
from sim.workloads import fault, flat, with_faults
from triort.testing._plan.draws import Draws
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import FaultKind, Plan
from triort.testing._plan.swarm import Faults, Features


@scenario(seeds=4)
def test_workers_that_join_a_starving_cluster_help(seed: int) -> Plan:
    """And some of them go again at once."""
    draws = Draws(seed)
    before = flat(seed, [2, 1], 60)
    joins = [
        fault(FaultKind.JOIN_WORKER, f"m{number % 2}", draws.uniform(0.0, 0.04, "join", number)) for number in range(4)
    ]
    crashes = [fault(FaultKind.CRASH_WORKER, f"m{number}.w2", 0.045) for number in range(2)]
    return with_faults(before, *joins, *crashes)


@scenario(seeds=4)
def test_managers_that_join_a_starving_cluster_help(seed: int) -> Plan:
    draws = Draws(seed)
    before = flat(seed, [1, 1, 1] if seed % 2 else [1, 1], 60)
    joins = [
        fault(FaultKind.JOIN_MANAGER, "s", draws.uniform(0.0, 0.04, "join", number), factor=2.0) for number in range(3)
    ]
    return with_faults(before, *joins)


@scenario(seeds=36, tiers=(1,))
def test_nodes_come_and_go(seed: int) -> Plan:
    return generate(seed, faults=Faults.only("join_worker", "join_manager", "crash_worker", "crash_manager", "cut"))


@scenario(seeds=4)
def test_slow_nodes_and_slow_readers_hold_nobody_else_up(seed: int) -> Plan:
    return generate(seed, size=25, faults=Faults.only("slow_node", "slow_reader"))


@scenario(seeds=36, tiers=(1,))
def test_all_that_is_slow_comes_at_once(seed: int) -> Plan:
    kinds = ("slow_node", "slow_reader", "clog", "one_way", "cancel_job")
    return generate(seed, latency=["tail"], faults=Faults.only(*kinds))


@scenario(seeds=4)
def test_deadlines_hold_by_clocks_that_are_off(seed: int) -> Plan:
    features = Features.only("timeout", "catch", "items", "sync", "jobs")
    return generate(seed, size=25, faults=Faults.only("clock_offset", "clock_drift"), features=features)


@scenario(seeds=36, tiers=(1,))
def test_clocks_are_off_and_drift_while_nodes_go(seed: int) -> Plan:
    kinds = ("clock_offset", "clock_drift", "crash_worker", "cut", "slow_node")
    return generate(seed, faults=Faults.only(*kinds), features=Features.swarm().also("timeout"))
