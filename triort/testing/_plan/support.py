"""What a cluster cannot do without.

A job ends only where there are workers for it, so of what is killed and never comes back at least one way from the
server down to workers is spared: the *core*. All else heals, sooner or later.
"""

from __future__ import annotations

from collections.abc import Sequence

from triort.testing._plan.names import is_below
from triort.testing._plan.plan import Fault, FaultKind


def ends_a_manager(fault: Fault) -> bool:
    """Whether the fault costs the cluster a manager for good, and so all below it."""
    return fault.kind is FaultKind.CRASH_MANAGER and not fault.for_s


def core_of(tree: Sequence[int], faults: Sequence[Fault]) -> list[str] | None:
    """The managers, from the top to the lowest, of the first way that no fault breaks; None if all are broken. Of a
    tree without managers it is the empty way."""
    broken = {fault.target for fault in faults if ends_a_manager(fault)}
    return _whole_way("", tree[:-1], broken)


def _whole_way(above: str, fan_outs: Sequence[int], broken: set[str]) -> list[str] | None:
    if not fan_outs:
        return []
    for number in range(fan_outs[0]):
        manager = f"{above}.m{number}" if above else f"m{number}"
        if manager not in broken:
            way = _whole_way(manager, fan_outs[1:], broken)
            if way is not None:
                return [manager, *way]
    return None


def with_core(tree: Sequence[int], faults: Sequence[Fault]) -> list[Fault]:
    """The same faults, without those that break the first way if none would stay whole."""
    if core_of(tree, faults) is not None:
        return list(faults)
    lowest = ".".join(["m0"] * (len(tree) - 1))
    return [fault for fault in faults if not (ends_a_manager(fault) and is_below(lowest, fault.target))]
