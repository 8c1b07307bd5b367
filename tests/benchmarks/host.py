"""A process that opens one peer and measures what it is asked for, until it is told to end.

Each peer has a process of its own, so that none lives with the threads, forks, signal handlers or memory of another,
and so that all processes of a peer are this one and those below it. The suite talks to it over a pipe whose descriptor
is handed on; what the peer prints goes wherever the suite has led stdout and stderr.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from multiprocessing.connection import Connection
from typing import Any

from tests.benchmarks import tasks
from tests.benchmarks.peers.table import PEERS, Entry
from tests.benchmarks.rows import ROWS
from tests.benchmarks.sizes import Sizes

WARM_UP = 100


@contextlib.asynccontextmanager
async def opened(entry: Entry, workers: int) -> AsyncIterator[Any]:
    module = importlib.import_module(f"tests.benchmarks.peers.{entry.module}")
    opening = module.open_peer(workers, entry.levels) if entry.is_triort else module.open_peer(workers)
    async with opening as peer:
        await peer.map(tasks.noop, list(range(WARM_UP)))
        yield peer


async def serve(entry: Entry, workers: int, pipe: Connection, wait_readable: Callable[[int], Awaitable[None]]) -> None:
    """Answer requests until the other end is closed."""
    async with opened(entry, workers) as peer:
        pipe.send_bytes(json.dumps({"figures": {}}).encode())
        while True:
            await wait_readable(pipe.fileno())
            try:
                request = json.loads(pipe.recv_bytes())
            except EOFError:
                return
            measure = ROWS[request["row"]].measure
            assert measure is not None
            try:
                answer: dict[str, Any] = {"figures": await measure(peer, Sizes(**request["sizes"]))}
            except Exception:
                answer = {"error": traceback.format_exc()}
            pipe.send_bytes(json.dumps(answer).encode())


async def return_at_once(fd: int) -> None:
    """What blocks later needs no waiting for."""


def run_blocking(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never yields."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("the coroutine of a blocking peer has yielded")


def main(key: str, workers: int, fd: int) -> None:
    entry, pipe = PEERS[key], Connection(fd)
    if entry.is_trio:
        import trio

        trio.run(serve, entry, workers, pipe, trio.lowlevel.wait_readable)
    else:
        run_blocking(serve(entry, workers, pipe, return_at_once))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
