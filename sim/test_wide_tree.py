"""A wide tree comes to rest: a thousand workers, most of whom have nothing to do when the last tasks are run.

It once did not: bosses told each other of idle workers, and asked each other for tasks, for ever.
"""

from __future__ import annotations

import pytest

from sim.scenarios import scenario
from sim.workloads import wide_tree
from triort.testing._plan.plan import Plan

SEED = 3
"""That of the run that did not end."""


def wide(seed: int) -> Plan:
    """Five thousand tasks on a thousand workers."""
    return wide_tree(SEED + seed, [10, 10, 10], num_items=500, num_children=9)


@scenario(seeds=1, tiers=(1,))
def test_a_thousand_workers_come_to_rest(seed: int) -> Plan:
    return wide(seed)


@pytest.mark.slow
@scenario(seeds=1, tiers=(2,))
def test_a_thousand_workers_of_real_nodes_come_to_rest(seed: int) -> Plan:
    """The same plan; it takes a minute or two."""
    return wide(seed)


@scenario(seeds=2)
def test_sixty_four_workers_come_to_rest(seed: int) -> Plan:
    return wide_tree(SEED + seed, [4, 4, 4], num_items=40, num_children=9)


@scenario(seeds=12, tiers=(1,))
def test_wide_trees_of_all_shapes_come_to_rest(seed: int) -> Plan:
    tree = ([9, 3], [3, 9], [2, 2, 9], [9, 2, 2], [3, 3, 3], [2, 2, 2, 3])[seed % 6]
    return wide_tree(seed, tree, num_items=10, num_children=5)
