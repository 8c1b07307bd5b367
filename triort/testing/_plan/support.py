"""Which faults triort has an answer to today, and what is to be expected of the others until then.

Random plans use what is answered. The answers have a limit, too: a server that loses its last manager fails, and so
does a manager with managers below; a manager that has lost its boss ends, with all below it, and does not come again.
So at least one way from the server down to workers must stay whole: the *core*.
"""

from __future__ import annotations

from collections.abc import Sequence

from triort.testing._plan.names import is_below, is_manager
from triort.testing._plan.plan import Fault, FaultKind
from triort.testing._plan.risks import ENDS_A_LINK, pause_of

FOREVER_S = 30.0
"""Silence for so long is to count as the end of a link, once there are heartbeats."""

ANSWERED = (
    FaultKind.CRASH_WORKER,
    FaultKind.CRASH_MANAGER,
    FaultKind.JOIN_WORKER,
    FaultKind.JOIN_MANAGER,
    FaultKind.CLOSE,
    FaultKind.CUT,
    FaultKind.CLOG,
    FaultKind.ONE_WAY,
    FaultKind.SLOW_NODE,
    FaultKind.SLOW_READER,
    FaultKind.CLOCK_OFFSET,
    FaultKind.CLOCK_DRIFT,
    FaultKind.CANCEL_JOB,
    FaultKind.CANCEL_STORM,
    FaultKind.CANCEL_RACE,
    FaultKind.CLIENT_DEATH,
    FaultKind.DUPLICATE_CLIENT,
    FaultKind.CORRUPT_FRAME,
)
"""Kinds that have an answer; a manager's crash as the loss of all below it, a silent link if it speaks in time."""

EXPECTED: dict[FaultKind, str] = {
    FaultKind.HALF_OPEN: "there are no heartbeats: the side that does not learn of it waits for ever",
    FaultKind.VANISH: "there are no heartbeats: both sides wait for ever",
    FaultKind.ONE_WAY: f"for {FOREVER_S:g} s or more: there are no heartbeats, so what the link holds just waits",
    FaultKind.CLOG: f"for {FOREVER_S:g} s or more: there are no heartbeats, so what the link holds just waits",
    FaultKind.CRASH_SERVER: "there is no journal: nodes end, and clients are told that the connection is lost",
    FaultKind.STALE_INCARNATION: "there is no rejoin: a manager that has lost its boss ends, with all below it",
}
"""Kinds without an answer, and what happens today."""

ENDS_A_MANAGER = ENDS_A_LINK | {FaultKind.CRASH_MANAGER, FaultKind.STALE_INCARNATION}


def expected_of(fault: Fault) -> str | None:
    """What to expect of a fault that triort has no answer to yet; None for all others."""
    if fault.kind in ANSWERED and (fault.kind not in EXPECTED or pause_of(fault) < FOREVER_S):
        return None
    return EXPECTED.get(fault.kind)


def ends_a_manager(fault: Fault) -> bool:
    """Whether the fault costs the cluster a manager, and all below it."""
    return fault.kind in ENDS_A_MANAGER and is_manager(fault.target)


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
