"""Smaller node trees: without a level, with fewer nodes at one. Faults follow their targets to the nodes that are left.

A fault that is needed for the failure must not miss because its target has gone with the others. So the
managers and workers of a larger tree are those of the smaller one in turn: of two managers, m3 is m1.
"""

from __future__ import annotations

import re

import msgspec

from triort.testing._plan.names import is_manager, is_worker
from triort.testing._plan.plan import Plan
from triort.testing._shrink.search import Search

replace = msgspec.structs.replace

_WORKER = re.compile(r"(.*)\.w(\d+)", re.ASCII)


def smaller_tree(search: Search) -> None:
    """Fewer levels, then smaller fan-outs."""
    while search.attempt_each(_without_levels(search.plan)):
        pass
    while search.attempt_each(_with_fewer(search.plan)):
        pass


def _without_levels(plan: Plan) -> list[Plan]:
    """Without all managers, then without one level of them."""
    levels = len(plan.tree) - 1
    plans = [_without_level(plan, level) for level in range(levels)]
    if levels > 1:
        flat = plan
        for _ in range(levels):
            flat = _without_level(flat, 0)
        plans.insert(0, flat)
    return plans


def _without_level(plan: Plan, level: int) -> Plan:
    tree = [*plan.tree[:level], *plan.tree[level + 1 :]]
    latency = plan.latency
    if len(latency) > level + 2:
        latency = [*latency[: level + 1], *latency[level + 2 :]]

    def follow(managers: list[int]) -> list[int]:
        return [*managers[:level], *managers[level + 1 :]]

    faults = [
        replace(fault, target=_renamed(fault.target, follow(_managers(fault.target)), plan.tree, tree))
        if is_manager(fault.target) or is_worker(fault.target)
        else fault
        for fault in plan.faults
    ]
    return replace(plan, tree=tree, latency=latency, faults=[each for each in faults if each.target])


def _with_fewer(plan: Plan) -> list[Plan]:
    """All fan-outs cut down to 1, then to half; then one of them to 1, to half, by 1."""
    trees = [[1] * len(plan.tree), [max(fan_out // 2, 1) for fan_out in plan.tree]]
    for level, fan_out in enumerate(plan.tree):
        for fewer in sorted({1, fan_out // 2, fan_out - 1} - {0, fan_out}):
            trees.append([*plan.tree[:level], fewer, *plan.tree[level + 1 :]])
    return [_with_tree(plan, tree) for tree in trees if tree != plan.tree]


def _with_tree(plan: Plan, tree: list[int]) -> Plan:
    faults = [
        replace(fault, target=_renamed(fault.target, _managers(fault.target), plan.tree, tree))
        if is_manager(fault.target) or is_worker(fault.target)
        else fault
        for fault in plan.faults
    ]
    return replace(plan, tree=tree, faults=faults)


def _managers(target: str) -> list[int]:
    """The positions in the name of a manager, or of a worker's boss."""
    return [int(part[1:]) for part in target.split(".") if part.startswith("m")]


def _renamed(target: str, managers: list[int], old: list[int], new: list[int]) -> str:
    """The name of the target on a new tree, below these managers; empty for a manager if there are none.

    Managers that have joined are numbered from 1000 and stay; a worker's number beyond those that there are at first
    is one that replaces others.
    """
    names = [f"m{number if number >= 1000 else number % fan_out}"
             for number, fan_out in zip(managers, [*new[:-1], *[1] * len(managers)], strict=False)]  # fmt: skip
    path = ".".join(names)
    worker = _WORKER.fullmatch(target)
    if worker is None:
        return path
    number = int(worker[2])
    number = (number - 1) % new[-1] + 1 if number <= old[-1] else number - old[-1] + new[-1]
    return f"{path or 's'}.w{number}"
