"""A map through server, manager, manager and workers beside an embedded cluster, and what each node computes for it."""

from __future__ import annotations

from typing import Any

from tests.benchmarks import processes, tasks
from tests.benchmarks.peers.table import TRIORT
from tests.benchmarks.row import Figures, Found, Row, timed
from tests.benchmarks.sizes import Sizes

RATE = "map, tasks/s"
SHARE = "rate through 2 levels / embedded"


async def measure(peer: Any, sizes: Sizes) -> Figures:
    items, n = list(range(sizes.node_tasks)), sizes.node_tasks
    nodes = processes.roles(peer.processes())
    before = {role: cpu_s(pids) for role, pids in nodes.items()}
    figures = {RATE: n / await timed(peer.map(tasks.noop, items), items)}
    cpu = {f"CPU, {role}, µs/task": (cpu_s(pids) - before[role]) / n * 1e6 for role, pids in nodes.items()}
    return figures | cpu | {"CPU, all together, µs/task": sum(cpu.values())}


def cpu_s(pids: list[int]) -> float:
    return sum(map(processes.cpu_s, pids))


def derive(found: Found) -> Found:
    if TRIORT not in found or "triort-2" not in found:
        return {}
    return {"triort-2": {SHARE: found["triort-2"][RATE] / found[TRIORT][RATE]}}


LEVELED = Row("levels", "a map of 100,000 no-ops, CPU by node", (TRIORT, "triort-2", "pool"), measure, derive=derive)
