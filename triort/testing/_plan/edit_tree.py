"""Plans on smaller node trees, with simpler latencies: each helper takes a valid plan and gives a valid one."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from triort._model.errors import UsageError
from triort.testing._plan.check import check_plan
from triort.testing._plan.names import SERVER, is_manager, is_worker
from triort.testing._plan.plan import LATENCIES, Fault, FaultKind, Plan
from triort.testing._plan.support import with_core

replace = msgspec.structs.replace


def with_tree(plan: Plan, tree: list[int]) -> Plan:
    """The plan on another tree, without the faults whose targets that does not have, and without those that would now
    leave no way from the server to a worker."""
    faults = [fault for fault in plan.faults if _fits(fault, plan.tree, tree)]
    edited = replace(plan, tree=tree, faults=with_core(tree, faults), latency=plan.latency[: len(tree) + 1])
    check_plan(edited)
    return edited


def smaller_trees(plan: Plan) -> Iterator[Plan]:
    """The plan on smaller trees, the smallest first: levels taken away, and fan-outs cut down to 1, to half, by 1."""
    tree = plan.tree
    for levels in range(1, len(tree)):
        yield with_tree(plan, tree[-levels:])
    for level, fan_out in enumerate(tree):
        for fewer in sorted({1, fan_out // 2, fan_out - 1} - {0, fan_out}):
            yield with_tree(plan, [*tree[:level], fewer, *tree[level + 1 :]])


def _fits(fault: Fault, old: list[int], new: list[int]) -> bool:
    """Whether it may still hit what it has meant. A worker beyond the old fan-out is one that replaces others."""
    target = fault.target
    if fault.kind is FaultKind.JOIN_MANAGER:
        return level_of(target) < len(new) - 1 and has_boss(new, target)
    if fault.kind is FaultKind.JOIN_WORKER:
        return level_of(target) == len(new) - 1 and has_boss(new, target)
    if is_manager(target):
        return has_boss(new, target)
    if is_worker(target):
        boss, _, number = target.rpartition(".w")
        is_there = int(number) <= new[-1] or int(number) > old[-1]
        return is_there and level_of(boss) == len(new) - 1 and has_boss(new, boss)
    return True


def level_of(boss: str) -> int:
    """How many levels below the server a manager is; 0 for the server itself."""
    return 0 if boss == SERVER else boss.count(".") + 1


def has_boss(tree: list[int], name: str) -> bool:
    """Whether the tree begins with a server or manager of this name."""
    if name == SERVER:
        return True
    numbers = [int(part[1:]) for part in name.split(".")]
    return len(numbers) < len(tree) and all(number < fan_out for number, fan_out in zip(numbers, tree, strict=False))


def with_latency(plan: Plan, name: str) -> Plan:
    """The plan with all links of one latency class."""
    if name not in LATENCIES:
        raise UsageError(f"there is no latency class {name!r}; there are {', '.join(LATENCIES)}")
    return replace(plan, latency=[name])


def simpler_latencies(plan: Plan) -> Iterator[Plan]:
    """The plan with simpler latencies, the simplest first."""
    for name in LATENCIES:
        if plan.latency == [name]:
            return
        yield with_latency(plan, name)
