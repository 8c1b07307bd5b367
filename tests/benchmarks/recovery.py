"""How soon work goes on after a worker has died or was freed: ``python -m tests.benchmarks.recovery [ROUNDS]``.

An embedded cluster of two workers on this machine. Each start of a task is noted by the task itself on the clock that
all processes share, so nothing is measured but what it takes until the user's function runs. Run it on a quiet machine:
the load average is printed with the figures.

* *again*: from the SIGKILL of a worker until the task that was on its CPU runs again. It is a suspect then, so this is
  the way through a fresh worker that is started for it alone.
* *beside*: the same for a task that only waited for a child there, and runs again on any worker.
* *replaced*: until the node counts two workers again.
* *freed*: from the cancel of an endless loop in Python until the next task runs on that worker, which lives on.
* *in C*: the same for a call into C that never returns and holds the interpreter; the worker is killed after the grace
  time (`GRACE_S`).
"""

from __future__ import annotations

import os
import signal
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

import triort
from tests._client import deadly
from triort._model.limits import GRACE_S

ROUNDS = 50
LOOK_S = 0.001
BOUND_S = 30.0
NOTE = "=dq"


def note_start(path: str) -> None:
    """Append the time and the number of this process to a file, in one write."""
    with open(path, "ab", buffering=0) as file:
        file.write(struct.pack(NOTE, time.monotonic(), os.getpid()))


def noted_sleep(path: str, seconds: float) -> None:
    note_start(path)
    time.sleep(seconds)


async def noted_parent(path: str, path_of_child: str) -> None:
    note_start(path)
    await triort.get_runtime().submit(noted_sleep, path_of_child, 600.0)


def noted_spin(path: str) -> None:
    note_start(path)
    deadly.spin()


def noted_block(path: str) -> None:
    note_start(path)
    deadly.block_in_c()


def starts(path: str) -> list[tuple[float, int]]:
    """All starts that were noted: when, and in which process."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        return []
    return list(struct.iter_unpack(NOTE, data))


async def start_of(path: str, number: int) -> tuple[float, int]:
    """Wait for a start, the first being 0."""
    with trio.fail_after(BOUND_S):
        while len(found := starts(path)) <= number:
            await trio.sleep(LOOK_S)
    return found[number]


async def replaced_at(client: Any, killed: int) -> float:
    """Wait until two ordinary workers are there, and this one is not."""
    with trio.fail_after(BOUND_S):
        while True:
            status = await client.status()
            if status.num_workers == 2 and killed not in [worker.pid for worker in status.employees]:
                return time.monotonic()
            await trio.sleep(LOOK_S)


async def kill_once(client: Any, folder: str, times: dict[str, list[float]]) -> None:
    """Kill the worker of a task that computes, and note when it runs again."""
    path = str(Path(folder, f"again {time.monotonic_ns()}"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run, noted_sleep, path, 600.0)
        _, pid = await start_of(path, 0)
        killed_at = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        times["replaced"].append(await replaced_at(client, pid) - killed_at)
        times["again"].append((await start_of(path, 1))[0] - killed_at)
        nursery.cancel_scope.cancel()


async def kill_beside(client: Any, folder: str, times: dict[str, list[float]]) -> None:
    """Kill the worker of a parent and its child, as far as they share one, and note when the parent runs again."""
    path, child = (str(Path(folder, f"{name} {time.monotonic_ns()}")) for name in ("beside", "child"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run, noted_parent, path, child)
        _, pid = await start_of(path, 0)
        await start_of(child, 0)
        killed_at = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        times["beside"].append((await start_of(path, 1))[0] - killed_at)
        nursery.cancel_scope.cancel()
    await replaced_at(client, pid)


async def free_once(client: Any, folder: str, fn: Callable[[str], None]) -> float:
    """Cancel a task that does not yield, and see when the next one runs on the one worker."""
    first, second = (str(Path(folder, f"{name} {time.monotonic_ns()}")) for name in ("busy", "next"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run, fn, first)
        await start_of(first, 0)
        await trio.sleep(0.05)
        cancelled_at = time.monotonic()
        nursery.cancel_scope.cancel()
    await client.run(noted_sleep, second, 0.0)
    return (await start_of(second, 0))[0] - cancelled_at


async def measure(rounds: int, folder: str) -> dict[str, list[float]]:
    """All figures, in seconds."""
    times: dict[str, list[float]] = {"again": [], "beside": [], "replaced": []}
    for _ in range(rounds):
        async with triort.open_cluster(2) as client:  # a new one, or workers would be replaced slowly on purpose
            await kill_once(client, folder, times)
            await kill_beside(client, folder, times)
    async with triort.open_cluster(1) as client:
        times["freed"] = [await free_once(client, folder, noted_spin) for _ in range(rounds)]
        times["in C"] = [await free_once(client, folder, noted_block) for _ in range(2)]
    return times


def show(times: dict[str, list[float]]) -> str:
    """A table, in milliseconds."""
    lines = [f"{'':10}{'p50':>9}{'p99':>9}{'max':>9}  ms"]
    for name, values in times.items():
        ranked = sorted(values)
        p99 = ranked[min(int(len(ranked) * 0.99), len(ranked) - 1)]
        figures = (statistics.median(ranked), p99, ranked[-1])
        lines.append(f"{name:10}" + "".join(f"{1000 * value:9.1f}" for value in figures) + f"  of {len(ranked)}")
    return "\n".join(lines)


def main(rounds: int = ROUNDS) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="triort-recovery-") as folder:
        before = os.getloadavg()[0]
        times = trio.run(measure, rounds, folder)
    print(show(times))
    print(f"load average {before:.1f} before and {os.getloadavg()[0]:.1f} after; grace time {GRACE_S:g} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
