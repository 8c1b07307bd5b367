"""The part that measures recovery: one worker killed at a time, while others are idle."""

from __future__ import annotations

import os
import random
import signal
import time

import trio

import triort
from tests.chaos import plan, tasks
from tests.chaos.cluster import Cluster, open_cluster
from tests.chaos.nodes import workers_of
from tests.chaos.records import END, START, read_all, read_process
from tests.chaos.report import Part

SPIN_S = 0.4
PAUSE_S = 1.3  # so that no node replaces more workers in a minute than it does at once
BOUND_S = 30.0
WORKERS = 3 * 2


async def run_recovery(num_kills: int, seed: int, *, keep: bool = False) -> Part:
    """Kill a worker on the CPU of which a task is, so many times; measure next attempt and replacement."""
    part = Part("recovery")
    next_attempts: list[float] = []
    replacements: list[float] = []
    chance = random.Random(seed)
    async with open_cluster(keep=keep) as cluster, triort.open_client(cluster.address) as client:
        for number in range(num_kills):
            with trio.move_on_after(BOUND_S) as scope:
                seen = await measure_one(cluster, client, chance, plan.job_key(seed, number), number)
                next_attempts.append(seen[0])
                replacements.append(seen[1])
            part.add("hangs", [f"kill {number} was not recovered from in {BOUND_S} s"] * scope.cancelled_caught)
            await trio.sleep(PAUSE_S)
    part.add("left over", cluster.leftovers)
    part.add("ended by themselves", cluster.own_ends())
    part.spread("kill to next attempt", next_attempts)
    part.spread("kill to replacement in the tree", replacements)
    return part


async def measure_one(
    cluster: Cluster, client: triort.Client, chance: random.Random, key: int, number: int
) -> tuple[float, float]:
    """Run two tasks, kill the worker of one; seconds to its next attempt and to a full tree."""
    keys = [plan.mix(key, index) for index in range(2)]
    leaf = cluster.leaves[number % 3]
    async with trio.open_nursery() as nursery:
        for one in keys:
            nursery.start_soon(client.run, tasks.leaf, one, 0, 0, int(SPIN_S * 1e6))
        pid = 0
        while not pid:
            await trio.sleep(0.002)
            pid = busy_worker(cluster, keys, set(workers_of(leaf))) or busy_worker(cluster, keys, None)
        await trio.sleep(chance.uniform(0.0, SPIN_S / 4))
        killed_s = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        while (status := await client.status()).num_workers != WORKERS or pid in worker_pids(status):
            await trio.sleep(0.002)
        ready_s = time.monotonic()
    starts = [r.time_s for r in read_all(cluster.records) if r.what == START and r.key in keys and r.time_s > killed_s]
    return min(starts) - killed_s, ready_s - killed_s


def busy_worker(cluster: Cluster, keys: list[int], among: set[int] | None) -> int:
    """A worker, of those given, on which one of the tasks runs now."""
    for pid in sorted(among if among is not None else cluster.workers()):
        found = [record for record in read_process(cluster.records, pid) if record.key in keys]
        if found and found[-1].what != END:
            return pid
    return 0


def worker_pids(status: triort.NodeStatus) -> set[int]:
    """The processes of all workers in the tree."""
    own = {status.pid} if status.kind == "worker" else set()
    return own.union(*(worker_pids(below) for below in status.employees))
