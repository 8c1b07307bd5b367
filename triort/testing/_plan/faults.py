"""Random faults: which, how many, when, what they hit, and for how long.

They come while the load runs, for a fault that hits nothing tests nothing. A manager that is killed for good is none of
one way from the server to the lowest managers, the core; see `support`. How long a link is parted matters by where the
limits lie: short of the stall, between that and the fence, beyond the fence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import attrs
import msgspec

from triort._model.limits import FENCE_S, LEASE_S, STALL_S
from triort.testing._plan.check_faults import BETWEEN_MACHINES, SIDED, SIDES
from triort.testing._plan.draws import Draws
from triort.testing._plan.names import SERVER, is_below, is_worker, managers_of, workers_of
from triort.testing._plan.plan import Fault, FaultKind, Job
from triort.testing._plan.swarm import Swarm

EACH_MAX = 8
"""Faults of one kind at most."""
ONCE = frozenset({FaultKind.CANCEL_STORM, FaultKind.CLIENT_DEATH, FaultKind.CRASH_SERVER})
"""Kinds of which one is plenty: they end much of the load."""
LATE_TIMES = (0.3, 1.2)
LONG_S = 8.0
"""Longer than the grace time: what stands still so long looks like a task that ignores its cancel."""
PARTED_S = ((0.001, 0.5), (0.5, STALL_S), (STALL_S, FENCE_S), (FENCE_S, 2 * FENCE_S))
"""How long nobody gets through where a link has broken, if not for no time at all."""
AWAY_S = 2.0
"""The mean time after which a manager that was killed is there again."""
SHORTEST_S = 1e-6
WORKERS_JOINING_MAX = 3
SPARE_SERIALS = 3
"""Faults may hit workers that only replace others, if they ever come."""


@attrs.frozen
class Scene:
    """What faults can hit."""

    tree: Sequence[int]
    jobs: Sequence[Job]
    span_s: float
    managers: Sequence[str]
    core: frozenset[str]
    workers: Sequence[str]
    clients: Sequence[str]


def draw_faults(draws: Draws, swarm: Swarm, tree: Sequence[int], jobs: Sequence[Job], span_s: float) -> list[Fault]:
    """Faults for this load, in order of time."""
    clients = list(dict.fromkeys(job.client for job in jobs))
    scene = Scene(tree, jobs, span_s, managers_of(tree), draw_core(draws, tree), workers_of(tree), clients)
    faults: list[Fault] = []
    for name in swarm.drawn(draws, "fault"):
        kind = FaultKind(name)
        mean = draws.uniform(0.0, 3.0, "fault", kind, "intensity")
        count = 1 if kind in ONCE else min(1 + int(draws.exponential(mean, "fault", kind, "count")), EACH_MAX)
        drawn = (_fault(draws, scene, kind, number) for number in range(count))
        faults += [fault for fault in drawn if fault is not None]
    return sorted(map(partial(_startable, draws, faults), faults), key=lambda fault: fault.at_s)


def _startable(draws: Draws, faults: Sequence[Fault], fault: Fault) -> Fault:
    """Who is killed comes back if somebody above is killed as well: a node does not start without all that it dials."""
    if fault.kind is not FaultKind.CRASH_MANAGER or fault.for_s:
        return fault
    above = [each.target for each in faults if each.kind in (FaultKind.CRASH_MANAGER, FaultKind.CRASH_SERVER)]
    if not any(is_below(fault.target, boss) for boss in above if boss != fault.target):
        return fault
    return msgspec.structs.replace(fault, for_s=_away(draws, fault.target, round(fault.at_s * 1e6)))


def _away(draws: Draws, *names: str | int) -> float:
    return round(max(draws.exponential(AWAY_S, "fault", "away", *names), SHORTEST_S), 6)


def draw_core(draws: Draws, tree: Sequence[int]) -> frozenset[str]:
    """One way down the managers, which stays whole."""
    way: list[str] = []
    for level, fan_out in enumerate(tree[:-1]):
        name = f"m{draws.integer(fan_out, 'core', level)}"
        way.append(f"{way[-1]}.{name}" if way else name)
    return frozenset(way)


def _fault(draws: Draws, scene: Scene, kind: FaultKind, number: int) -> Fault | None:
    """One fault; None if there is nothing that it could hit."""
    names = ("fault", kind.value, number)
    targets = TARGETS[kind](scene)
    if not targets:
        return None
    target = _perhaps_later(draws, draws.choice(targets, *names, "target"), *names)
    first, last = LATE_TIMES if kind in ONCE else (0.0, 1.0)
    at_s = scene.span_s * draws.uniform(first, last, *names, "at")
    side = draws.choice(SIDES, *names, "side") if kind in SIDED else ""
    for_s, factor = FIGURES[kind](draws, scene, names) if kind in FIGURES else (0.0, 1.0)
    if kind is FaultKind.CRASH_MANAGER and (target in scene.core or draws.chance(0.6, *names, "again")):
        for_s = _away(draws, target, number)
    if kind in PARTING and is_worker(target):
        for_s = 0.0
    return Fault(round(at_s, 6), kind, target, round(for_s, 6), round(factor, 6), side)


def _perhaps_later(draws: Draws, target: str, *names: str | int) -> str:
    """Now and then a worker that replaces another one."""
    boss, dot, serial = target.rpartition(".w")
    if not dot or not draws.chance(0.15, *names, "replaced"):
        return target
    return f"{boss}.w{int(serial) + draws.between(1, SPARE_SERIALS, *names, 'serial')}"


# -- targets ---------------------------------------------------------------------------------------------------------


def _bosses_of_workers(scene: Scene) -> list[str]:
    return list(dict.fromkeys(worker.rpartition(".")[0] for worker in scene.workers))


def _bosses_of_managers(scene: Scene) -> list[str]:
    lowest = set(_bosses_of_workers(scene))
    return [name for name in [SERVER, *scene.managers] if name not in lowest]


def _jobs(scene: Scene) -> list[str]:
    return [job.name for job in scene.jobs]


def _between_machines(scene: Scene) -> list[str]:
    return [*scene.managers, *scene.clients]


def _links(scene: Scene) -> list[str]:
    return [*scene.managers, *scene.workers, *scene.clients]


def _nodes(scene: Scene) -> list[str]:
    return [SERVER, *scene.managers, *scene.workers]


TARGETS: dict[FaultKind, Callable[[Scene], Sequence[str]]] = {
    FaultKind.CRASH_WORKER: lambda scene: scene.workers,
    FaultKind.CRASH_SERVER: lambda scene: [SERVER],
    FaultKind.JOIN_WORKER: _bosses_of_workers,
    FaultKind.JOIN_MANAGER: _bosses_of_managers,
    FaultKind.ONE_WAY: _links,
    FaultKind.CLOG: _links,
    FaultKind.SLOW_NODE: _nodes,
    FaultKind.SLOW_READER: _nodes,
    FaultKind.CLOCK_OFFSET: _nodes,
    FaultKind.CLOCK_DRIFT: _nodes,
    FaultKind.CANCEL_JOB: _jobs,
    FaultKind.CANCEL_STORM: lambda scene: [SERVER],
    FaultKind.CANCEL_RACE: _jobs,
    FaultKind.CLIENT_DEATH: lambda scene: scene.clients,
    FaultKind.DUPLICATE_CLIENT: lambda scene: scene.clients,
}
TARGETS |= dict.fromkeys((FaultKind.CLOSE, FaultKind.CUT, FaultKind.CORRUPT_FRAME), _links)
TARGETS |= dict.fromkeys(BETWEEN_MACHINES, _between_machines)
TARGETS |= {kind: lambda scene: scene.managers for kind in (FaultKind.CRASH_MANAGER, FaultKind.STALE_INCARNATION)}

# -- figures: for how long, and by what factor -----------------------------------------------------------------------

Names = tuple[str, str, int]
Figures = Callable[[Draws, Scene, Names], tuple[float, float]]


def _a_while(draws: Draws, scene: Scene, names: Names) -> tuple[float, float]:
    """Mostly a part of the load's time, now and then longer than the grace time."""
    if draws.chance(0.05, *names, "long"):
        return LONG_S, 1.0
    return max(scene.span_s * draws.unit(*names, "for"), SHORTEST_S), 1.0


def _downtime(draws: Draws, scene: Scene, names: Names) -> tuple[float, float]:
    """Shorter than the lease of clients."""
    return min(_away(draws, *names), LEASE_S / 3), 1.0


def _parted(draws: Draws, scene: Scene, names: Names) -> tuple[float, float]:
    """Often the next connection is made at once."""
    if draws.chance(0.5, *names, "at once"):
        return 0.0, 1.0
    return draws.uniform(*draws.choice(PARTED_S, *names, "parted"), *names, "for"), 1.0


def _slowed(draws: Draws, scene: Scene, names: Names) -> tuple[float, float]:
    return max(scene.span_s * draws.unit(*names, "for"), SHORTEST_S), draws.uniform(1.5, 8.0, *names, "factor")


def _jump(draws: Draws, scene: Scene, names: Names) -> tuple[float, float]:
    """Forward, by little or by much: no monotonic clock goes back, but a host may be suspended."""
    return 0.0, draws.uniform(0.001, 10.0, *names, "factor") * draws.unit(*names, "small")


def _drift(draws: Draws, scene: Scene, names: Names) -> tuple[float, float]:
    return 0.0, draws.uniform(0.5, 2.0, *names, "factor")


def _workers(draws: Draws, scene: Scene, names: Names) -> tuple[float, float]:
    return 0.0, float(draws.between(1, WORKERS_JOINING_MAX, *names, "factor"))


PARTING = (FaultKind.CUT, FaultKind.HALF_OPEN, FaultKind.VANISH, FaultKind.STALE_INCARNATION)
FIGURES: dict[FaultKind, Figures] = {
    **dict.fromkeys(PARTING, _parted),
    FaultKind.CRASH_SERVER: _downtime,
    FaultKind.JOIN_MANAGER: _workers,
    FaultKind.ONE_WAY: _a_while,
    FaultKind.CLOG: _a_while,
    FaultKind.SLOW_READER: _a_while,
    FaultKind.SLOW_NODE: _slowed,
    FaultKind.CLOCK_OFFSET: _jump,
    FaultKind.CLOCK_DRIFT: _drift,
}
