"""Hierarchies of one to five levels, and disconnects at each of them: managers, workers, clients."""

from __future__ import annotations

from sim.scenarios import scenario
from sim.workloads import fault, with_faults
from triort.testing._plan.draws import Draws
from triort.testing._plan.generate import generate
from triort.testing._plan.names import managers_of, workers_of
from triort.testing._plan.plan import Fault, FaultKind, Plan
from triort.testing._plan.spans import span_of
from triort.testing._plan.support import with_core
from triort.testing._plan.swarm import Faults, Features

LEVELS_MAX = 5
SIZE = 30
ENDS = (FaultKind.CLOSE, FaultKind.CUT, FaultKind.CORRUPT_FRAME)
DISCONNECTS = Faults.only("close", "cut", "crash_manager", "crash_worker", "client_death")


def shape(seed: int, levels: int) -> list[int]:
    """A tree of so many levels, of two or three nodes below each; deep ones are narrow."""
    draws = Draws(seed)
    return [2 + draws.integer(2 if levels < LEVELS_MAX else 1, "shape", level) for level in range(levels)]


def loaded(seed: int, tree: list[int]) -> tuple[Plan, float]:
    """A random load without faults, and how long it takes."""
    made = generate(seed, size=SIZE, tree=tree, faults=Faults.none(), features=Features.swarm().without("later"))
    return made, span_of(made.jobs, made.tree, made.latency)


def ends(seed: int, span_s: float, targets: list[str], count: int) -> list[Fault]:
    """Disconnects of some of these, at any times."""
    draws = Draws(seed)
    return [
        fault(
            draws.choice(ENDS, "end", number), draws.choice(targets, "end", number, "whose"),
            draws.uniform(0.0, span_s, "end", number, "at"),
        )
        for number in range(count)
    ]  # fmt: skip


def sided(each: Fault, seed: int, number: int) -> Fault:
    """A frame that cannot be read goes to one of the two sides."""
    if each.kind is not FaultKind.CORRUPT_FRAME:
        return each
    return fault(each.kind, each.target, each.at_s, side=Draws(seed).choice(("boss", "employee"), "side", number))


def broken(seed: int, tree: list[int], targets: list[str], count: int) -> Plan:
    """The load on this tree, with disconnects of these that leave one way down whole."""
    before, span_s = loaded(seed, tree)
    faults = [sided(each, seed, number) for number, each in enumerate(ends(seed, span_s, targets, count))]
    return with_faults(before, *with_core(tree, faults))


def managers_at(tree: list[int], level: int) -> list[str]:
    """The managers of a level, the first below the server being 1."""
    return [name for name in managers_of(tree) if name.count(".") == level - 1]


def disconnected(seed: int, levels: int) -> Plan:
    """All that disconnects, on a tree of so many levels."""
    return generate(seed, size=SIZE, tree=shape(seed, levels), faults=DISCONNECTS)


@scenario(seeds=5)
def test_a_server_with_workers_of_its_own_survives_disconnects(seed: int) -> Plan:
    return disconnected(seed, 1)


@scenario(seeds=5)
def test_two_levels_survive_disconnects(seed: int) -> Plan:
    return disconnected(seed, 2)


@scenario(seeds=4)
def test_three_levels_survive_disconnects(seed: int) -> Plan:
    return disconnected(seed, 3)


@scenario(seeds=2)
def test_four_levels_survive_disconnects(seed: int) -> Plan:
    return disconnected(seed, 4)


@scenario(seeds=2)
def test_five_levels_survive_disconnects(seed: int) -> Plan:
    return disconnected(seed, 5)


@scenario(seeds=30, tiers=(1,))
def test_trees_of_any_height_survive_disconnects(seed: int) -> Plan:
    return disconnected(seed, 1 + seed % LEVELS_MAX)


@scenario(seeds=4)
def test_managers_right_below_the_server_may_be_cut_off(seed: int) -> Plan:
    tree = shape(seed, 2 + seed % 2)
    return broken(seed, tree, managers_at(tree, 1), 3)


@scenario(seeds=4)
def test_managers_in_the_middle_may_be_cut_off(seed: int) -> Plan:
    tree = shape(seed, 3)
    return broken(seed, tree, managers_at(tree, 2), 3)


@scenario(seeds=30, tiers=(1,))
def test_managers_of_each_level_of_a_high_tree_may_be_cut_off(seed: int) -> Plan:
    tree = shape(seed, LEVELS_MAX)
    return broken(seed, tree, managers_at(tree, 1 + seed % (LEVELS_MAX - 1)), 4)


@scenario(seeds=5)
def test_workers_may_be_cut_off_by_the_dozen(seed: int) -> Plan:
    tree = shape(seed, 1 + seed % 3)
    return broken(seed, tree, workers_of(tree), 12)


@scenario(seeds=4)
def test_clients_may_be_cut_off(seed: int) -> Plan:
    tree = shape(seed, 1 + seed % 2)
    before, _ = loaded(seed, tree)
    return broken(seed, tree, sorted({job.client for job in before.jobs}), 3)


@scenario(seeds=30, tiers=(1,), marks=("a loss waits for the ends of its descendants",))
def test_a_manager_and_those_below_it_may_go_at_one_moment(seed: int) -> Plan:
    """The middle goes, and a little later, or before, one below it and one beside it."""
    tree = shape(seed, 3)
    before, span_s = loaded(seed, tree)
    draws = Draws(seed)
    at_s = draws.uniform(0.0, span_s, "moment")
    names = [name for name in managers_of(tree) if name == "m1" or name.startswith("m1.") or name == "m0.m1"]
    faults = [
        fault(draws.choice((FaultKind.CUT, FaultKind.CRASH_MANAGER, FaultKind.CLOSE), name),
              name, max(at_s + draws.uniform(-1e-3, 1e-3, name, "later"), 0.0))
        for name in names
    ]  # fmt: skip
    return with_faults(before, *with_core(tree, faults))
