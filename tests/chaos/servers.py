"""The parts with the server's and the clients' deaths: SIGKILL of a server with a journal, and of client processes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import trio

import triort
from tests.chaos import plan, tasks
from tests.chaos.analysis import gather, tell
from tests.chaos.cluster import Cluster, open_cluster
from tests.chaos.kills import check_whole, tell_load
from tests.chaos.load import Load
from tests.chaos.node import SHORT
from tests.chaos.nodes import ROOT
from tests.chaos.report import Part

DEPTH = 3
LEASE_S = 4.5
ENDLESS_S = 10_000.0
START_S = 30.0


async def run_server_kills(num_kills: int, seed: int, *, keep: bool = False) -> Part:
    """Kill a server with a journal so many times: every job that it has accepted ends, with its value."""
    part = Part("kills of the server")
    start_s = time.monotonic()
    chance = random.Random(seed)
    pauses: list[float] = []
    detached: dict[int, int] = {}
    async with open_cluster(server_words=("--journal", "{folder}/journal"), keep=keep) as cluster:
        load = Load(seed, width=3)
        async with triort.open_client(cluster.address) as client:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(load.run, client)
                for number in range(num_kills):
                    key = plan.job_key(seed, 1_000_000 + number)
                    with trio.fail_after(START_S):
                        job = await client.submit(tasks.function_for(key, DEPTH), key, 0, DEPTH, 100, detached=True)
                    detached[job.id] = key
                    await trio.sleep(chance.uniform(0.0, 2.0))
                    done = load.done
                    killed_s = time.monotonic()
                    cluster.server.signal(signal.SIGKILL)
                    with trio.move_on_after(load.job_s_max) as scope:
                        while load.done == done:
                            await trio.sleep(0.005)
                    if scope.cancelled_caught:
                        part.add("hangs", [f"no job has ended for {load.job_s_max:g} s after kill {number}"])
                        break
                    pauses.append(time.monotonic() - killed_s)
                load.stop()
            await check_detached(part, client, detached)
            await check_whole(part, client, 3 * 2)
        runs = gather(cluster.records)
    part.figures["kills of the server"] = num_kills
    part.spread("kill to the next job's end", pauses)
    tell_load(part, load, cluster)
    tell(part, runs, [])
    part.figures["seconds"] = round(time.monotonic() - start_s, 1)
    return part


async def check_detached(part: Part, client: triort.Client, detached: dict[int, int]) -> None:
    """All detached jobs can be attached to, and have their values."""
    for job_id, key in detached.items():
        with trio.move_on_after(START_S) as scope:
            try:
                job = await client.attach(job_id)
                value = await job.result()
                await job.forget()
            except triort.TriortError as exc:
                part.add("wrong values", [f"detached job {job_id}: {exc!r}"])
            else:
                if value != plan.serial(key, DEPTH):
                    part.add("wrong values", [f"detached job {job_id}: {value}"])
        part.add("hangs", [f"detached job {job_id} has no value"] * scope.cancelled_caught)
    part.figures["detached jobs"] = len(detached)


async def run_client_kills(num_kills: int, seed: int, *, keep: bool = False) -> Part:
    """Kill client processes: their jobs end after a lease, their detached ones live, and nobody else is harmed."""
    part = Part("kills of clients")
    start_s = time.monotonic()
    detached: dict[int, int] = {}
    async with open_cluster(limits={**SHORT, "LEASE_S": LEASE_S}, keep=keep) as cluster:
        load = Load(seed, width=1, rate_max=200)
        async with triort.open_client(cluster.address) as client:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(load.run, client)
                for number in range(num_kills):
                    key = plan.job_key(seed, 2_000_000 + number)
                    with trio.fail_after(START_S):
                        detached[await killed_client(cluster, key)] = key
                load.stop()
            await check_detached(part, client, detached)
            await check_whole(part, client, 3 * 2)
    part.figures["kills of clients"] = num_kills
    tell_load(part, load, cluster)
    part.figures["seconds"] = round(time.monotonic() - start_s, 1)
    return part


async def killed_client(cluster: Cluster, key: int) -> int:
    """Start a client process with an endless job and a detached one, kill it, and return the latter's number."""
    words = [sys.executable, "-m", "tests.chaos.servers", cluster.address, str(key)]
    async with trio.open_nursery() as nursery:
        environment = cluster.server.environment
        process = await trio.lowlevel.open_process(words, cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        nursery.start_soon(process.wait)
        assert process.stdout is not None
        told = b""
        while not told.endswith(b"\n"):
            chunk = await process.stdout.receive_some()
            assert chunk, "the client has ended"
            told += chunk
        process.kill()
    return int(json.loads(told)["detached"])


async def main(address: str, key: int) -> None:
    """The client that is killed: it says the number of its detached job and waits for the end."""
    async with triort.open_client(address) as client:
        await client.submit(trio.sleep, ENDLESS_S)
        await client.submit(time.sleep, ENDLESS_S)
        job = await client.submit(tasks.function_for(key, DEPTH), key, 0, DEPTH, 100, detached=True)
        print(json.dumps({"detached": job.id, "pid": os.getpid()}), flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], int(sys.argv[2]))
