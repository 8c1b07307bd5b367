"""What a journal costs: jobs one after the other, many at once, and one wide map, on a server with and without one.

    python tests/benchmarks/journal.py [--reps 5] [--dir DIRECTORY] [--json]

The rows of one repetition run in turn with and without, so that a drift of the machine meets both alike. The disk's own
speed stands beside them: how long a commit of one small record takes.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import triort
from tests.access import temporary_access
from tests.benchmarks import tasks
from triort._core.journal import Write
from triort._model.ids import JobId
from triort._node.sqlite_journal import open_sqlite_journal

TRIPS = 100
AT_ONCE = 500
WIDE = 10_000
COMMITS = 50


@asynccontextmanager
async def serving(path: Path | None) -> AsyncIterator[triort.Client]:
    server, listens = triort.Server(None, 0, num_workers=2, journal=path), trio.Event()
    server.on_listening = lambda node: listens.set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run)
        await listens.wait()
        async with triort.open_client(f"127.0.0.1:{server.port}") as client:
            yield client
        nursery.cancel_scope.cancel()


async def measure(client: triort.Client) -> dict[str, float]:
    """One repetition: µs for a job's way and back, jobs a second, tasks a second."""
    await client.map(tasks.noop, range(100))
    start = time.perf_counter()
    for number in range(TRIPS):
        await client.run(tasks.noop, number)
    trip_us = (time.perf_counter() - start) / TRIPS * 1e6
    start = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for number in range(AT_ONCE):
            nursery.start_soon(client.run, tasks.noop, number)
    jobs = AT_ONCE / (time.perf_counter() - start)
    start = time.perf_counter()
    await client.map(tasks.noop, range(WIDE))
    return {"trip_us": trip_us, "jobs_per_s": jobs, "map_tasks_per_s": WIDE / (time.perf_counter() - start)}


async def commit_us(path: Path) -> float:
    """How long the disk takes for one small commit."""
    store = await open_sqlite_journal(str(path))
    start = time.perf_counter()
    for number in range(COMMITS):
        await store.commit([Write(JobId(number + 1), [bytes(100)])])
    took_s = time.perf_counter() - start
    await store.aclose()
    return took_s / COMMITS * 1e6


async def main(reps: int, folder: Path) -> dict[str, dict[str, float]]:
    figures: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
    async with serving(None) as without, serving(folder / "journal") as journaled:
        for _ in range(reps):
            figures["without"].append(await measure(without))
            figures["with"].append(await measure(journaled))
    medians = {
        peer: {row: statistics.median(each[row] for each in found) for row in found[0]}
        for peer, found in figures.items()
    }
    medians["disk"] = {"commit_us": await commit_us(folder / "other")}
    return medians


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--dir", type=Path, help="where the journal lies (default: a temporary directory)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as folder, temporary_access():
        found = trio.run(main, options.reps, Path(folder))
    if options.json:
        print(json.dumps(found))
    else:
        for row in found["with"]:
            print(f"{row:>16}: without {found['without'][row]:10.0f}   with {found['with'][row]:10.0f}")
        print(f"{'commit_us':>16}: {found['disk']['commit_us']:.0f}")
