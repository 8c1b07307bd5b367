"""How well the cores place work on a thousand and on ten thousand simulated workers, and what that costs.

    python -m tests.benchmarks.placement [--workers 1000,10000] [--levels 1,2,3] [--loads equal,nested]
                                         [--latency lan,local] [--json]

Runs the real cores in tier 1 of the simulation, in virtual time: a cluster without faults, below a server so many
levels of managers, and workers below these. The links between machines have the latency of a LAN (0.1 to 0.5 ms each
way, drawn evenly), those of workers that of their boss's own host, where they always are (20 to 60 µs); with
``--latency lan,lan`` workers are on a LAN, too. Nodes take no time to compute, so what is seen is what placement loses
by latency and by its own decisions. The functions were never measured before. `placement_loads` has the loads,
`placement_figures` what is looked at.

For each row: the makespan, from the client's submission to its last outcome, by its lower bound (all work divided by
the workers, or the longest path); the same for a list schedule that costs no messages, whose tail nobody avoids who
knows no durations; how long it took until 99 of 100 workers had work; what part of the makespan workers were idle
before their first task, between tasks, and after the last one; messages for each task, in all and by hop; and bytes in
the books for each task and node.

Every row is measured in a process of its own, which takes up to two minutes; all of them about half an hour.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import attrs

from tests.benchmarks.placement_figures import AT_S, Books, Figures, Messages, Times
from tests.benchmarks.placement_loads import LOADS, list_schedule_s, make_load
from triort.testing._checkers.all_ends import AllEnds
from triort.testing._checkers.tables_empty import TablesEmpty
from triort.testing._plan.plan import Job, Plan
from triort.testing._tier1.run import run_tier1

TREES = {
    (1_000, 1): [25, 40], (1_000, 2): [10, 10, 10], (1_000, 3): [5, 5, 5, 8],
    (10_000, 1): [100, 100], (10_000, 2): [20, 20, 25], (10_000, 3): [10, 10, 10, 10],
}  # fmt: skip
"""Fan-outs by workers and levels of managers, workers last."""
SEED = 3
HEAL_S = 600.0


def tree_of(num_workers: int, levels: int) -> list[int]:
    """The fan-outs of a tree of about so many workers below so many levels of managers."""
    if (num_workers, levels) in TREES:
        return TREES[num_workers, levels]
    fan_out = max(round(num_workers ** (1 / (levels + 1))), 1)
    return [*[fan_out] * levels, max(round(num_workers / fan_out**levels), 1)]


def measure(num_workers: int, levels: int, name: str, between: str, of_workers: str) -> Figures:
    """One row."""
    tree = tree_of(num_workers, levels)
    num_workers = math.prod(tree)
    load = make_load(name, num_workers)
    num_tasks, bound_s = len(load.seconds), load.bound_s(num_workers)
    times, messages, books = Times(load.seconds), Messages(), Books(num_tasks)
    latency = [*[between] * len(tree), of_workers]
    plan = Plan(2, SEED, tree, [Job("j0", load.items, at_s=AT_S)], latency=latency, heal_s=HEAL_S)
    start = time.perf_counter()
    run = run_tier1(plan, checkers=[AllEnds(), TablesEmpty(), times, messages, books], frames=False)
    run_s = time.perf_counter() - start
    assert run.violation is None, str(run.violation)
    begun = sorted(times.first.values())
    idle_before, idle_between, idle_after = times.idle_shares(num_workers)
    return Figures(
        num_workers=num_workers,
        levels=levels,
        load=name,
        tree=tree,
        num_tasks=num_tasks,
        bound_s=bound_s,
        path_share=load.path_s / bound_s,
        makespan_s=times.job_s,
        ratio=times.job_s / bound_s,
        list_ratio=list_schedule_s(load, num_workers) / bound_s,
        busy_s=begun[min(num_workers * 99 // 100, len(begun) - 1)],
        idle_before=idle_before,
        idle_between=idle_between,
        idle_after=idle_after,
        messages_per_task=messages.by_level.total() / num_tasks,
        messages_per_task_and_hop=[messages.by_level[level] / num_tasks for level in range(1, len(tree) + 1)],
        bytes_per_task=books.bytes_per_task,
        run_s=run_s,
    )


# -- a process for each row ------------------------------------------------------------------------------------------


def measured(rows: list[tuple[int, int, str]], latency: str) -> Iterator[dict[str, Any]]:
    """The figures of all rows, one after the other; a terminal shows how far it is."""
    for number, (num_workers, levels, load) in enumerate(rows):
        show(f"{number} of {len(rows)}: {load}, {num_workers:,} workers, {levels} levels")
        row = f"{num_workers},{levels},{load},{latency}"
        command = [sys.executable, "-m", "tests.benchmarks.placement", "--row", row]
        yield json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    show("")


def show(text: str) -> None:
    """One line that the next one replaces, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


HEAD = (
    f"{'workers':>7} {'levels':>6} {'load':<12} {'tasks':>8} {'bound':>8} {'longest':>7}  {'ratio':>6} {'(list)':>7}"
    f" {'busy':>7}  {'idle before':>11} {'between':>7} {'after':>6}  {'messages':>8} {'by hop':<24} {'bytes':>6}"
)


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    by_hop = " ".join(f"{each:.2f}" for each in row["messages_per_task_and_hop"])
    num_bytes = row["bytes_per_task"]["all"]
    return (
        f"{row['num_workers']:>7,} {row['levels']:>6} {row['load']:<12} {row['num_tasks']:>8,}"
        f" {row['bound_s'] * 1e3:>5,.0f} ms {row['path_share']:>7.0%}  {row['ratio']:>6.3f} ({row['list_ratio']:>.3f})"
        f" {row['busy_s'] * 1e3:>4.1f} ms  {row['idle_before']:>11.1%} {row['idle_between']:>7.1%}"
        f" {row['idle_after']:>6.1%}  {row['messages_per_task']:>8.2f} {by_hop:<24} {num_bytes:>6.0f}"
    )


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=numbers, default=[1_000, 10_000], help="default: 1000,10000")
    parser.add_argument("--levels", type=numbers, default=[1, 2, 3], help="levels of managers (default: 1,2,3)")
    parser.add_argument("--loads", default=",".join(LOADS), help="default: all")
    text = "classes of the links between machines, and of those of workers (default: lan,local)"
    parser.add_argument("--latency", default="lan,local", help=text)
    parser.add_argument("--json", action="store_true", help="figures for machines")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        num_workers, levels, load, *latency = args.row.split(",")
        print(json.dumps(attrs.asdict(measure(int(num_workers), int(levels), load, *latency))))
        return
    rows = [(n, levels, load) for n in args.workers for levels in args.levels for load in args.loads.split(",")]
    if args.json:
        print(json.dumps(list(measured(rows, args.latency))))
        return
    print(HEAD)
    for row in measured(rows, args.latency):
        print(line(row), flush=True)


if __name__ == "__main__":
    main()
