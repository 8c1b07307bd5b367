"""Benchmarks of the simulation: small seeds a minute, great width in both tiers, memory of a node.

    python tests/benchmarks/simulation.py [--reps 3] [--json]

Each figure is the median of the repetitions; every measurement runs in a process of its own.
"""

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from triort.testing._checkers.all_ends import AllEnds
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import Batch, Compute, Job, Plan, Task
from triort.testing._run import Checker, World
from triort.testing._tier1.run import run_tier1
from triort.testing._tier2.run import run_tier2

SMALL_S = 20.0


def small_seeds(run: Callable[..., object]) -> float:
    """Seeds a minute: tree (3, 4), about 60 tasks, all faults by swarm, all checkers."""
    start, count = time.perf_counter(), 0
    while time.perf_counter() < start + SMALL_S:
        run(generate(count, tree=[3, 4]))
        count += 1
    return count / (time.perf_counter() - start) * 60


def wide_plan(tree: list[int], num_tasks: int) -> Plan:
    """One map whose items map nine children each."""
    items = []
    for number in range(num_tasks // 10):
        children = [Task(f"j0.{number}.1.{child}", [Compute(1e-3)]) for child in range(9)]
        items.append(Task(f"j0.{number}", [Compute(5e-2), Batch(children)]))
    return Plan(2, 3, tree, [Job("j0", items)])


def wide_tier2() -> float:
    """Seconds: 1,111 nodes, 5,000 tasks."""
    plan = wide_plan([10, 10, 10], 5_000)
    start = time.perf_counter()
    outcome = run_tier2(plan, checkers=[AllEnds()], frames=False)
    assert outcome.violation is None, str(outcome.violation)
    return time.perf_counter() - start


def wide_tier1() -> float:
    """Seconds: 11,111 nodes, 100,000 tasks."""
    plan = wide_plan([10, 10, 10, 10], 100_000)
    start = time.perf_counter()
    outcome = run_tier1(plan, checkers=[AllEnds()], frames=False)
    assert outcome.violation is None, str(outcome.violation)
    return time.perf_counter() - start


class Weigh(Checker):
    """Looks at this process's memory when all nodes are up."""

    name = "weigh"
    kib_per_node = 0.0

    def begin(self, world: World) -> None:
        super().begin(world)
        gc.collect()
        self._before = resident_kib()

    def look(self) -> None:
        if not self.kib_per_node:
            gc.collect()
            self.kib_per_node = (resident_kib() - self._before) / (len(self.world.nodes) + len(self.world.workers))


def memory_tier2() -> float:
    """KiB a node: 1,111 nodes, all started, nothing to do yet."""
    run_tier2(wide_plan([1, 1, 1], 10), checkers=[])
    weigh = Weigh()
    plan = Plan(2, 3, [10, 10, 10], [Job("j0", [Task("j0.0", [Compute(1.0)])], at_s=1.0)])
    assert run_tier2(plan, checkers=[weigh], frames=False).violation is None
    return weigh.kib_per_node


def resident_kib() -> float:
    """This process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4.0


ROWS: dict[str, tuple[str, Callable[[], float]]] = {
    "tier 2, small seeds": ("a minute", lambda: small_seeds(run_tier2)),
    "tier 1, small seeds": ("a minute", lambda: small_seeds(run_tier1)),
    "tier 2, 1,111 nodes, 5,000 tasks": ("s", wide_tier2),
    "tier 1, 11,111 nodes, 100,000 tasks": ("s", wide_tier1),
    "tier 2, memory of a node": ("KiB", memory_tier2),
}


def measure(row: str) -> float:
    """One figure, by a process of its own."""
    command = [sys.executable, __file__, "--row", row]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reps", type=int, default=3, help="how often each row is measured (default: 3)")
    parser.add_argument("--json", action="store_true", help="figures for machines")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        print(ROWS[args.row][1]())
        return
    figures = {row: [measure(row) for _ in range(args.reps)] for row in ROWS}
    if args.json:
        print(json.dumps(figures))
        return
    for row, (unit, _) in ROWS.items():
        median, low, high = statistics.median(figures[row]), min(figures[row]), max(figures[row])
        print(f"{row:<38} {median:>9,.1f} {unit:<9} {low:,.1f} – {high:,.1f}")


if __name__ == "__main__":
    main()
