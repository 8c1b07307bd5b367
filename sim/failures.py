"""Loads that meet failures: managers and servers that are killed, links that are parted. For scenarios and for bugs."""

from __future__ import annotations

import msgspec

from sim.workloads import fault, job, leaf, parent, plan, with_faults
from triort.testing._plan.draws import Draws
from triort.testing._plan.names import managers_of
from triort.testing._plan.plan import FaultKind, Plan

TREES = ([2, 2], [1, 2], [2, 2, 1], [1, 2, 2], [1, 1, 1, 2])
SERVER_TREES = ([2, 2], [3], [1, 2, 1])
LINK_TREES = ([2, 2], [2, 2, 1], [1, 2])
HEAL_S = 90.0
SOON_S = 0.03
"""Within so much time a job is accepted, or about to be."""


def nested(seed: int) -> Plan:
    """Work three levels deep, all over a tree, for a few seconds."""
    draws = Draws(seed)

    def branch(*names: int) -> list:
        if len(names) == 2:
            return [leaf(draws.heavy_tail(0.05, 2.0, *names, number)) for number in range(3)]
        return [parent(branch(*names, number), 0.01, is_async=draws.chance(0.7, *names)) for number in range(3)]

    return plan(seed, TREES[seed % len(TREES)], [job("j0", branch())], heal_s=120.0)


def managers_killed(seed: int, times: int, away_s: float) -> Plan:
    """Managers are killed so many times, and are back after about so long."""
    draws = Draws(seed)
    made = nested(seed)
    managers = managers_of(made.tree)
    faults = []
    for number in range(times):
        for_s = round(draws.exponential(away_s, "killed", number, "for") + 1e-3, 4)
        target = draws.choice(managers, "killed", number, "who")
        faults.append(fault(FaultKind.CRASH_MANAGER, target, draws.uniform(0.0, 1.5, "killed", number), for_s=for_s))
    return with_faults(made, *faults)


def one_survives(seed: int) -> Plan:
    """All managers but one die at once, with a task, its child and a child of that at different ones."""
    draws = Draws(seed)
    spread, alone = parent([leaf(0.03) for _ in range(6)], 0.005), parent([leaf(0.03)], 0.005)
    managers = managers_of([6, 1])
    managers.remove(draws.choice(managers, "survivor"))
    at_s = draws.uniform(0.015, 0.05, "at")
    faults = [fault(FaultKind.CRASH_MANAGER, name, at_s, for_s=0.3) for name in managers]
    return plan(seed, [6, 1], [job("j0", [parent([spread, alone], 0.005)])], faults, latency=["lan"], heal_s=HEAL_S)


def server_killed(seed: int, times: int, *, journal: bool = True, downtime_s: float = 0.2) -> Plan:
    """Nested work of two clients, and a server that is killed so many times in the midst of it."""
    draws = Draws(seed)
    jobs = []
    for number in range(2):
        items = [parent([leaf(draws.exponential(0.05, number, each, child)) for child in range(4)])
                 for each in range(4)]  # fmt: skip
        jobs.append(job(f"j{number}", items, client=f"c{number}", at_s=0.1 * number, at_most_once=number == 1))
    at_s, faults = 0.0, []
    for number in range(times):
        for_s = round(draws.exponential(downtime_s, "killed", number, "for") + 1e-3, 4)
        at_s += draws.uniform(0.0, 0.5 if number else SOON_S, "killed", number, "at")
        faults.append(fault(FaultKind.CRASH_SERVER, "s", at_s, for_s=for_s))
        at_s += for_s
    made = with_faults(plan(seed, SERVER_TREES[seed % len(SERVER_TREES)], jobs, heal_s=120.0), *faults)
    return msgspec.structs.replace(made, journal=journal)


def parted(seed: int, low_s: float, high_s: float) -> Plan:
    """Nested work all over a tree that takes as long as it takes, and links that are parted for some time: cut, or
    without a word, or one way only."""
    draws = Draws(seed)
    tree = LINK_TREES[seed % len(LINK_TREES)]
    items = [
        parent([leaf(draws.heavy_tail(0.2, 5.0, "parted", item, child)) for child in range(4)], 0.05)
        for item in range(6)
    ]
    made = plan(seed, tree, [job("j0", items)], heal_s=HEAL_S, latency=["lan"])
    for_s = round(draws.uniform(low_s, high_s, "parted", "for"), 3)
    at_s = draws.uniform(0.01, 0.3, "parted", "at")
    target = draws.choice(managers_of(tree), "parted", "target")
    kind = draws.choice(
        (FaultKind.CUT, FaultKind.VANISH, FaultKind.ONE_WAY, FaultKind.CLOG, FaultKind.HALF_OPEN), "parted", "kind"
    )
    side = draws.choice(("boss", "employee"), "parted", "side")
    more = {"side": side} if kind in (FaultKind.ONE_WAY, FaultKind.HALF_OPEN) else {}
    return with_faults(made, fault(kind, target, at_s, for_s=for_s, **more))


def links_cut(seed: int, times: int) -> Plan:
    """Nested work of two clients over slow links, which break again and again: also those of the clients."""
    draws = Draws(seed)
    jobs = []
    for number in range(2):
        items = [
            parent([leaf(draws.exponential(0.05, number, item, child)) for child in range(6)], 0.01)
            for item in range(8)
        ]
        jobs.append(job(f"j{number}", items, client=f"c{number}"))
    tree = LINK_TREES[seed % len(LINK_TREES)]
    faults = []
    for number in range(times):
        kind = draws.choice((FaultKind.CUT, FaultKind.CUT, FaultKind.CLOSE, FaultKind.HALF_OPEN), "cut", number)
        side = draws.choice(("boss", "employee"), "cut", number, "side") if kind is FaultKind.HALF_OPEN else ""
        target = draws.choice([*managers_of(tree), "c0", "c1"], "cut", number, "who")
        faults.append(fault(kind, target, draws.uniform(0.0, 1.0, "cut", number, "at"), side=side))
    return with_faults(plan(seed, tree, jobs, latency=["wan"], heal_s=HEAL_S), *faults)


def client_gone(seed: int) -> Plan:
    """A client dies, whose job would go on for long after its lease."""
    draws = Draws(seed)
    items = [leaf(draws.uniform(5.0, 15.0, number)) for number in range(24)]
    made = plan(seed, [2], [job("j0", items), job("j1", [leaf(1.0)], client="c1")], heal_s=HEAL_S)
    return with_faults(made, fault(FaultKind.CLIENT_DEATH, "c0", draws.uniform(0.0, 20.0, "death")))
