"""Benchmarks: triort beside multiprocessing.Pool, interleaved in one run, as ratios of medians.

    python tests/benchmarks/run.py [--reps 5] [--workers 2] [--levels 0] [--json]

Each repetition runs all rows once, so that a drift of the machine's speed meets them alike. Absolute figures say
little on a shared machine; the ratio beside them was measured in the same minute.
"""

import argparse
import json
import multiprocessing
import multiprocessing.pool
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import triort
from tests.benchmarks import tasks

FLAT = 10_000
TREE_TASKS = 1_111
FIB_TASKS = 1_219
TRIPS = 500


class Rows:
    """What was measured: row → peer → figures, one for each repetition."""

    def __init__(self) -> None:
        self.figures: dict[str, dict[str, list[float]]] = {}

    def add(self, row: str, peer: str, figure: float) -> None:
        self.figures.setdefault(row, {}).setdefault(peer, []).append(figure)

    def median(self, row: str, peer: str) -> float:
        return statistics.median(self.figures[row][peer])

    def report(self) -> list[dict[str, Any]]:
        """One dict for each row and peer: median, range, and triort's ratio to the peer."""
        lines = []
        for row, peers in self.figures.items():
            for peer, figures in peers.items():
                median = statistics.median(figures)
                line = {"row": row, "peer": peer, "median": median, "min": min(figures), "max": max(figures)}
                if peer != "triort" and "triort" in peers:
                    line["triort_ratio"] = self.median(row, "triort") / median
                lines.append(line)
        return lines


async def timed(call: Callable[[], Awaitable[Any]]) -> float:
    start = time.perf_counter()
    await call()
    return time.perf_counter() - start


async def measure_triort(rows: Rows, client: triort.Client) -> None:
    seconds = await timed(lambda: client.map(tasks.noop, range(FLAT)))
    rows.add("flat map, tasks/s", "triort", FLAT / seconds)
    seconds = await timed(lambda: client.map(tasks.noop_async, range(FLAT)))
    rows.add("flat map of async tasks, tasks/s", "triort", FLAT / seconds)
    seconds = await timed(lambda: submit_all(client))
    rows.add("flat single submits, tasks/s", "triort", FLAT / seconds)
    seconds = await timed(lambda: client.run(tasks.tree, 3, 10))
    rows.add("10x10x10 tree, tasks/s", "triort", TREE_TASKS / seconds)
    seconds = await timed(lambda: client.run(tasks.tree_sync, 3, 10))
    rows.add("10x10x10 tree, sync, tasks/s", "triort", TREE_TASKS / seconds)
    seconds = await timed(lambda: client.run(tasks.fib, 14))
    rows.add("fib(14), tasks/s", "triort", FIB_TASKS / seconds)
    add_trips(rows, "awaited child", "triort", await client.run(tasks.await_children, TRIPS))
    add_trips(rows, "one job", "triort", [await timed(lambda: client.run(tasks.noop, 1)) for _ in range(TRIPS)])


async def submit_all(client: triort.Client) -> None:
    jobs = [await client.submit(tasks.noop, i) for i in range(100)]
    for start in range(100, FLAT, 100):
        async with trio.open_nursery() as nursery:
            for i in range(start, start + 100):
                nursery.start_soon(client.run, tasks.noop, i)
    for job in jobs:
        await job.result()


def measure_pool(rows: Rows, pool: multiprocessing.pool.Pool) -> None:
    start = time.perf_counter()
    pool.map(tasks.noop, range(FLAT), chunksize=1)
    rows.add("flat map, tasks/s", "Pool", FLAT / (time.perf_counter() - start))
    start = time.perf_counter()
    for pending in [pool.apply_async(tasks.noop, (i,)) for i in range(FLAT)]:
        pending.get()
    rows.add("flat single submits, tasks/s", "Pool", FLAT / (time.perf_counter() - start))
    trips = []
    for i in range(TRIPS):
        start = time.perf_counter()
        pool.apply(tasks.noop, (i,))
        trips.append(time.perf_counter() - start)
    add_trips(rows, "one job", "Pool", trips)
    add_trips(rows, "awaited child", "Pool", trips)


def add_trips(rows: Rows, name: str, peer: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    rows.add(f"{name}, p50 µs", peer, ordered[len(ordered) // 2] * 1e6)
    rows.add(f"{name}, p99 µs", peer, ordered[len(ordered) * 99 // 100] * 1e6)


@asynccontextmanager
async def open_levels(levels: int, workers: int) -> AsyncIterator[triort.Client]:
    """An embedded cluster (0), or a server over so many levels of managers, each a process of its own."""
    if levels == 0:
        async with triort.open_cluster(workers) as client:
            yield client
        return
    async with trio.open_nursery() as nursery:
        address = await start_process(nursery, ["_cli.manager", "-p", "0", "-n", str(workers)])
        for _ in range(levels - 1):
            address = await start_process(nursery, ["_cli.manager", "-p", "0", "-m", address])
        address = await start_process(nursery, ["_cli.server", "-p", "0", address])
        async with triort.open_client(address) as client:
            yield client
        nursery.cancel_scope.cancel()


async def start_process(nursery: trio.Nursery, words: list[str]) -> str:
    """Start a node and return the address that its ready line names."""
    command = [sys.executable, "-m", f"triort.{words[0]}", *words[1:]]
    process = await nursery.start(lambda task_status: run_process(command, task_status))
    line = (await process.stdout.receive_some(10_000)).decode()
    return next(word.strip(",") for word in line.split() if word.startswith("127.0.0.1:"))


async def run_process(command: list[str], task_status: trio.TaskStatus[trio.Process]) -> None:
    await trio.run_process(command, capture_stdout=False, stdout=-1, check=False, task_status=task_status)


async def measure(reps: int, workers: int, levels: int) -> Rows:
    rows = Rows()
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        async with open_levels(levels, workers) as client:
            await client.map(tasks.noop, range(1_000))
            pool.map(tasks.noop, range(1_000), chunksize=1)
            for _ in range(reps):
                await measure_triort(rows, client)
                measure_pool(rows, pool)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--levels", type=int, default=0, help="levels of managers; 0: embedded")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    lines = trio.run(measure, options.reps, options.workers, options.levels).report()
    if options.json:
        sys.stdout.write(json.dumps(lines, indent=1) + "\n")
        return
    for line in lines:
        ratio = f"  triort/{line['peer']} = {line['triort_ratio']:.2f}" if "triort_ratio" in line else ""
        figures = f"{line['median']:>12,.0f}  ({line['min']:,.0f} to {line['max']:,.0f})"
        sys.stdout.write(f"{line['row']:36} {line['peer']:8} {figures:40}{ratio}\n")


if __name__ == "__main__":
    main()
