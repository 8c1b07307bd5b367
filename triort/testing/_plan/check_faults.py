"""Whether a fault makes sense: what each kind takes as its target, its side and its figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from triort.testing._plan.names import SERVER, is_client, is_job, is_manager, is_node, is_worker
from triort.testing._plan.plan import Fault, FaultKind

SECONDS_MAX = 1e7
FACTOR_MAX = 1e6
JOINING_WORKERS_MAX = 10_000
SIDES = ("boss", "employee")


def has_link_up(name: str) -> bool:
    """Whether there may be a link called so: each is called by its lower end."""
    return name != SERVER and is_node(name)


def has_employees(name: str) -> bool:
    """Whether it may be a server or manager."""
    return name == SERVER or is_manager(name)


def is_cluster(name: str) -> bool:
    """Whether all is meant: the server, or nothing."""
    return name in (SERVER, "")


Test = Callable[[str], bool]

_LINK: tuple[Test, str] = (has_link_up, "a link, called by its lower end (m0, m0.w1, c0)")
_NODE: tuple[Test, str] = (is_node, "a node (s, m0, m0.m1, m0.w1, c0)")
_BOSS: tuple[Test, str] = (has_employees, "the server or a manager (s, m0, m0.m1)")
_MANAGER: tuple[Test, str] = (is_manager, "a manager (m0, m0.m1)")
_BETWEEN_MACHINES: tuple[Test, str] = (
    lambda name: is_manager(name) or is_client(name),
    "a link between machines, called by its lower end (m0, c0): one to a worker never goes silent",
)
_CLIENT: tuple[Test, str] = (is_client, "a client (c0)")
_JOB: tuple[Test, str] = (is_job, "a job (j0)")

TARGETS: dict[FaultKind, tuple[Test, str]] = {
    FaultKind.CRASH_WORKER: (is_worker, "a worker (s.w1, m0.w1)"),
    FaultKind.CRASH_MANAGER: _MANAGER,
    FaultKind.CRASH_SERVER: (lambda name: name == SERVER, "the server (s)"),
    FaultKind.JOIN_WORKER: _BOSS,
    FaultKind.JOIN_MANAGER: _BOSS,
    FaultKind.CLOSE: _LINK,
    FaultKind.CUT: _LINK,
    FaultKind.HALF_OPEN: _BETWEEN_MACHINES,
    FaultKind.VANISH: _BETWEEN_MACHINES,
    FaultKind.ONE_WAY: _LINK,
    FaultKind.CLOG: _LINK,
    FaultKind.SLOW_NODE: _NODE,
    FaultKind.SLOW_READER: _NODE,
    FaultKind.CLOCK_OFFSET: _NODE,
    FaultKind.CLOCK_DRIFT: _NODE,
    FaultKind.CANCEL_JOB: _JOB,
    FaultKind.CANCEL_STORM: (is_cluster, "the server (s)"),
    FaultKind.CANCEL_RACE: _JOB,
    FaultKind.CLIENT_DEATH: _CLIENT,
    FaultKind.DUPLICATE_CLIENT: _CLIENT,
    FaultKind.STALE_INCARNATION: _MANAGER,
    FaultKind.CORRUPT_FRAME: _LINK,
}

BETWEEN_MACHINES = frozenset({FaultKind.HALF_OPEN, FaultKind.VANISH})
"""Kinds that leave an end of a link without a word."""

SIDED = frozenset({FaultKind.HALF_OPEN, FaultKind.ONE_WAY, FaultKind.CORRUPT_FRAME})
"""Kinds that happen to one side of a link."""

LASTING = frozenset({FaultKind.ONE_WAY, FaultKind.CLOG, FaultKind.SLOW_NODE, FaultKind.SLOW_READER})
"""Kinds that last for ``for_s`` and are over then."""


def fault_problems(fault: Fault, clients: Sequence[str]) -> Iterable[str]:
    """What is wrong with a fault, a line each; ``clients`` are those that there are."""
    fits, wanted = TARGETS[fault.kind]
    if not fits(fault.target):
        yield f"its target is {wanted}, not {fault.target!r}"
    if is_client(fault.target) and fault.target not in clients:
        yield f"unknown client {fault.target!r}; the jobs have {', '.join(clients) or 'none'}"
    for field, seconds in (("at_s", fault.at_s), ("for_s", fault.for_s)):
        if not 0.0 <= seconds <= SECONDS_MAX:
            yield f"{field} is a number of seconds from 0 to {SECONDS_MAX:g}, not {seconds}"
    if fault.kind in SIDED and fault.side not in SIDES:
        yield f"its side is one of {', '.join(SIDES)}, not {fault.side!r}"
    if fault.kind not in SIDED and fault.side:
        yield f"it has no side, so not {fault.side!r}"
    yield from _factor_problems(fault.kind, fault.factor)


def _factor_problems(kind: FaultKind, factor: float) -> Iterable[str]:
    if kind is FaultKind.CLOCK_OFFSET:
        if not (math.isfinite(factor) and abs(factor) <= SECONDS_MAX):
            yield f"its factor is the jump in seconds, not {factor}"
    elif kind is FaultKind.JOIN_MANAGER:
        if not (1 <= factor <= JOINING_WORKERS_MAX and factor == int(factor)):
            yield f"its factor is the number of workers, from 1 to {JOINING_WORKERS_MAX}, not {factor}"
    elif not 0.0 < factor <= FACTOR_MAX:
        yield f"its factor is a number above 0 and up to {FACTOR_MAX:g}, not {factor}"
