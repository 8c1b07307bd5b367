"""The runtime itself: embedded, or a server over levels of managers, each node a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import trio

import triort
from tests.benchmarks import tasks, triort_tasks
from tests.benchmarks.peers.blocking import RUN_S, new_folder
from tests.benchmarks.peers.peer import Fn


class TriortPeer:
    """`map` is client.map; a single submit is client.run in a trio task of its own."""

    def __init__(self, client: triort.Client, workers: int) -> None:
        self.client = client
        self.workers = workers
        self.nodes: dict[str, list[int]] = {}

    async def call(self, fn: Fn, *args: Any) -> Any:
        return await self.client.run(fn, *args)

    async def map(self, fn: Fn, items: Sequence[Any]) -> list[Any]:
        return await self.client.map(fn, items)

    async def submits(self, fn: Fn, items: Sequence[Any]) -> list[Any]:
        results: list[Any] = [None] * len(items)

        async def one(number: int) -> None:
            results[number] = await self.client.run(fn, items[number])

        async with trio.open_nursery() as nursery:
            for number in range(len(items)):
                nursery.start_soon(one, number)
        return results

    async def first(self, fn: Fn, items: Sequence[Any]) -> float:
        start = time.perf_counter()
        results = self.client.as_completed(fn, items)
        await anext(results)
        took_s = time.perf_counter() - start
        async for _ in results:
            pass
        return took_s

    async def tree(self, depth: int, fan: int) -> int:
        return int(await self.client.run(triort_tasks.tree, depth, fan))

    async def tree_sync(self, depth: int, fan: int) -> int:
        return int(await self.client.run(triort_tasks.tree_sync, depth, fan))

    async def fib(self, n: int) -> int:
        return int(await self.client.run(triort_tasks.fib, n))

    async def submits_inside(self, n: int) -> float:
        return float(await self.client.run(triort_tasks.submits, tasks.noop, n))

    async def children(self, n: int) -> tuple[list[float], list[float]]:
        """Seconds of awaited children on the parent's worker, and on another one."""
        here = await self.client.run(triort_tasks.children_here, n)
        elsewhere = await self.client.run(triort_tasks.children_elsewhere, n) if self.workers > 1 else []
        return here, elsewhere

    async def cancel_many(self, n: int) -> float:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.client.map, tasks.nap, [0.01] * n)
            await trio.sleep(RUN_S)
            start = time.perf_counter()
            nursery.cancel_scope.cancel()
        await self.client.run(tasks.noop, 1)
        return time.perf_counter() - start

    async def interrupt(self) -> float:
        folder, other = new_folder(), new_folder()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.client.map, tasks.spin, [folder] * self.workers)
            await trio.to_thread.run_sync(tasks.wait_noted, folder, self.workers)
            start = time.perf_counter()
            nursery.cancel_scope.cancel()
        await self.client.map(tasks.meet, [other] * self.workers, [self.workers] * self.workers)
        return time.perf_counter() - start

    def queue_map(self, items: Sequence[Any]) -> AbstractAsyncContextManager[None]:
        return self._queue(items, single=False)

    def queue_submits(self, items: Sequence[Any]) -> AbstractAsyncContextManager[None]:
        return self._queue(items, single=True)

    @asynccontextmanager
    async def _queue(self, items: Sequence[Any], *, single: bool) -> AsyncIterator[None]:
        folder, gate = new_folder(), Path(new_folder(), "gate")
        jobs: list[triort.Job] = []

        async def submit(item: Any) -> None:
            jobs.append(await self.client.submit(tasks.noop, item))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.client.map, tasks.hold, [folder] * self.workers, [str(gate)] * self.workers)
            await trio.to_thread.run_sync(tasks.wait_noted, folder, self.workers)
            if single:
                async with trio.open_nursery() as submits:
                    for item in items:
                        submits.start_soon(submit, item)
            else:
                nursery.start_soon(self.client.map, tasks.noop, items)
            while (await self.client.status()).tasks < len(items):
                await trio.sleep(0.01)
            yield
            gate.touch()
        for job in jobs:
            await job.result()

    def processes(self) -> dict[str, list[int]]:
        return self.nodes

    async def look(self) -> None:
        """Ask for the tree of nodes: server, managers from above, workers."""
        level = [await self.client.status()]
        names = iter(["server", "manager 1", "manager 2", "manager 3"])
        while level:
            kind = "worker" if level[0].kind == "worker" else next(names)
            self.nodes[kind] = [node.pid for node in level]
            level = [below for node in level for below in node.employees]


@asynccontextmanager
async def open_peer(workers: int, levels: int = 0) -> AsyncIterator[TriortPeer]:
    if levels == 0:
        async with triort.open_cluster(workers) as client:
            peer = TriortPeer(client, workers)
            await peer.look()
            yield peer
        return
    async with trio.open_nursery() as nursery:
        address = await start_node(nursery, ["_cli.manager", "-p", "0", "-n", str(workers)])
        for _ in range(levels - 1):
            address = await start_node(nursery, ["_cli.manager", "-p", "0", "-m", address])
        address = await start_node(nursery, ["_cli.server", "-p", "0", address])
        async with triort.open_client(address) as client:
            peer = TriortPeer(client, workers)
            await peer.look()
            yield peer
        nursery.cancel_scope.cancel()


async def start_node(nursery: trio.Nursery, words: list[str]) -> str:
    """Start a node and return the address that its ready line names."""
    command = [sys.executable, "-m", f"triort.{words[0]}", *words[1:]]

    async def run(task_status: trio.TaskStatus[trio.Process]) -> None:
        await trio.run_process(
            command, capture_stdout=False, stdout=subprocess.PIPE, check=False, task_status=task_status
        )

    process: trio.Process = await nursery.start(run)
    assert process.stdout is not None
    line = (await process.stdout.receive_some(10_000)).decode()
    return next(word.strip(",") for word in line.split() if word.startswith("127.0.0.1:"))
