"""The part with random kills: workers, managers, managers of managers, templates, under nested jobs."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Mapping

import attrs
import trio

import triort
from tests.chaos.analysis import Kill, gather, tell
from tests.chaos.cluster import Cluster, open_cluster
from tests.chaos.load import Load
from tests.chaos.nodes import template_of, workers_of
from tests.chaos.report import Part

WEIGHTS = {"worker": 85, "leaf": 9, "middle": 3, "template": 3}
WHOLE_S = 60.0


def weights_of(text: str) -> dict[str, int]:
    """How often each kind of process is killed, from ``KIND=WEIGHT,…``."""
    return {kind: int(weight) for kind, _, weight in (word.partition("=") for word in text.split(","))}


@attrs.define(eq=False)
class Killer:
    """Kills by chance, ``rate`` a second on average."""

    cluster: Cluster
    chance: random.Random
    rate: float
    weights: Mapping[str, int]
    spared: frozenset[str] = frozenset()
    """Managers with workers that live on; their workers and templates do not."""
    kills: list[Kill] = attrs.Factory(list)

    async def run(self, number: int) -> None:
        """Kill so many times."""
        while len(self.kills) < number:
            await trio.sleep(self.chance.expovariate(self.rate))
            kind = self.chance.choices(list(self.weights), list(self.weights.values()))[0]
            self.kill(kind)

    def kill(self, kind: str) -> None:
        """Kill one of a kind, if there is one at this moment."""
        cluster = self.cluster
        pids: list[int] = []
        if kind == "worker":
            pids = [self.chance.choice(cluster.workers() or [0])]
            target = pids[0]
        elif kind == "middle":
            target = cluster.nodes["middle"].pid
            pids = [pid for name in ("leaf0", "leaf1") for pid in workers_of(cluster.nodes[name])]
        else:
            spared = self.spared if kind == "leaf" else ()
            leaf = self.chance.choice([leaf for leaf in cluster.leaves if leaf.name not in spared])
            pids = workers_of(leaf)
            target = leaf.pid if kind == "leaf" else template_of(leaf)
            if kind == "template" and target:
                leaf.excuse()
        if not target:
            return
        self.kills.append(Kill(time.monotonic(), kind, tuple(pids)))
        for node in cluster.nodes.values():
            if node.pid == target:
                node.signal(signal.SIGKILL)
                return
        try:
            os.kill(target, signal.SIGKILL)
        except ProcessLookupError:
            self.kills.pop()


async def run_kills(
    num_kills: int, num_tasks: int, seed: int, rate: float, weights: Mapping[str, int] = WEIGHTS, *, keep: bool = False
) -> Part:
    """Kill ``num_kills`` times, ``rate`` a second, while jobs run, and until so many tasks are done."""
    part = Part("kills")
    start_s = time.monotonic()
    async with open_cluster(keep=keep) as cluster:
        load = Load(seed)
        killer = Killer(cluster, random.Random(seed), rate, weights)
        async with triort.open_client(cluster.address) as client:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(load.run, client)
                await killer.run(num_kills)
                while load.num_tasks < num_tasks and not load.hangs:
                    await trio.sleep(0.05)
                load.stop()
            await check_whole(part, client, 3 * 2)
        runs = gather(cluster.records)
    part.figures["kills"] = len(killer.kills)
    for kind in weights:
        part.figures[f"kills, {kind}"] = sum(kill.kind == kind for kill in killer.kills)
    tell_load(part, load, cluster)
    tell(part, runs, killer.kills)
    part.figures["seconds"] = round(time.monotonic() - start_s, 1)
    return part


async def check_whole(part: Part, client: triort.Client, num_workers: int) -> None:
    """After the load: nothing is left in any table, and all workers are there again before long."""
    status: triort.NodeStatus | None = None
    with trio.move_on_after(WHOLE_S):
        while True:
            status = await client.status()
            if not any(open_entries(status)) and status.idle_workers == status.num_workers == num_workers:
                return
            await trio.sleep(0.05)
    if status is None:
        part.check(False, "the server does not answer a request for status")
        return
    part.check(status.num_workers == num_workers, f"{status.num_workers} workers are back, not {num_workers}")
    part.check(not any(open_entries(status)), f"tables are not empty: {status}")
    part.check(status.idle_workers == status.num_workers, f"not all workers are idle: {status}")


def open_entries(status: triort.NodeStatus) -> list[int]:
    """Tasks and backlog of a node and all below it."""
    return [status.tasks, status.backlog, *(n for below in status.employees for n in open_entries(below))]


def tell_load(part: Part, load: Load, cluster: Cluster) -> None:
    """Put what load and cluster have seen into the report."""
    part.add("wrong values", load.wrong)
    part.add("hangs", load.hangs)
    part.add("second outcomes", load.second_outcomes)
    part.add("left over", cluster.leftovers)
    part.add("ended by themselves", cluster.own_ends())
    part.figures["starts of nodes that failed"] = cluster.num_failed_starts()
    part.figures["jobs"] = load.done
    part.figures["tasks"] = load.num_tasks
    part.spread("job", load.durations_s)
