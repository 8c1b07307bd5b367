"""Loads of all shapes: wide, deep, heavy-tailed; with talk, deadlines, retries, priorities and shared values."""

from __future__ import annotations

from sim.scenarios import scenario
from sim.workloads import behind, chain, flat, talkative, tree_behind
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import Plan
from triort.testing._plan.swarm import Faults, Features

SIZE = 30


def plain(seed: int, *features: str, size: int = SIZE) -> Plan:
    """A load with these features alone, and no faults."""
    return generate(seed, size=size, faults=Faults.none(), features=Features.only(*features))


@scenario(seeds=1, tiers=(1,))
def test_a_map_of_ten_thousand_items_ends(seed: int) -> Plan:
    return flat(seed, [4, 5], 10_000)


@scenario(seeds=1, tiers=(2,))
def test_a_map_of_a_thousand_items_ends_on_real_nodes(seed: int) -> Plan:
    return flat(seed, [2, 4], 1_000)


@scenario(seeds=3)
def test_a_chain_of_two_hundred_tasks_below_each_other_ends(seed: int) -> Plan:
    """Deeper than plans in files may be."""
    return chain(seed, [2] * (1 + seed % 3), 200)


@scenario(seeds=12, tiers=(1,), marks=("tasks behind a long one are recalled",))
def test_nothing_waits_behind_a_long_task(seed: int) -> Plan:
    return behind(seed, ([3], [1, 3], [2, 2])[seed % 3])


@scenario(seeds=6, marks=("a window that is left over is closed",))
def test_a_tree_follows_a_fan_out(seed: int) -> Plan:
    return tree_behind(seed, ([2], [1, 2], [3])[seed % 3])


@scenario(seeds=30, tiers=(1,))
def test_durations_are_heavy_tailed(seed: int) -> Plan:
    return flat(seed, ([2], [3, 2], [2, 2, 2])[seed % 3], 60, mean_s=4e-3)


@scenario(seeds=4)
def test_durations_are_heavy_tailed_on_real_nodes(seed: int) -> Plan:
    return flat(seed, [3, 2], 40, mean_s=4e-3)


@scenario(seeds=4)
def test_parents_and_children_talk(seed: int) -> Plan:
    return talkative(seed, [2, 2][: 1 + seed % 2])


@scenario(seeds=4)
def test_values_are_shared(seed: int) -> Plan:
    return plain(seed, "shared", "items", "sync", "functions")


@scenario(seeds=4, marks=("the deadline of an open child has passed",))
def test_deadlines_pass(seed: int) -> Plan:
    return plain(seed, "timeout", "catch", "items", "jobs", "sync")


@scenario(seeds=4, marks=("a child that raised is run again", "an item that raised is run again"))
def test_what_raises_is_run_again(seed: int) -> Plan:
    return plain(seed, "fails", "retries", "catch", "items", "jobs")


@scenario(seeds=4)
def test_the_urgent_comes_first(seed: int) -> Plan:
    return plain(seed, "priority", "items", "jobs", "clients", "sync")


@scenario(seeds=4)
def test_batches_are_submitted_and_awaited_in_all_ways(seed: int) -> Plan:
    return plain(seed, "how", "open", "catch", "cancel_after", "sync", "say")


@scenario(seeds=40, tiers=(1,))
def test_loads_of_all_features_end_as_they_would_in_one_process(seed: int) -> Plan:
    return generate(seed, faults=Faults.none())
