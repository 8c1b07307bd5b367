"""What TLS costs: connections by themselves, then trees of one and two levels, with TLS and without, in turn.

    python -m tests.benchmarks.tls [--reps 5] [--workers 2] [--json]

Both trees of a comparison are there at once, and each repetition asks one after the other, so that a drift of the
machine meets both alike. The medians of all repetitions stand beside each other.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext

import trio

import triort
from tests.access import temporary_access
from tests.benchmarks import tasks
from tests.benchmarks.plain_node import without_tls
from triort._access.access import Access
from triort._model import messages as m
from triort._model.ids import Address
from triort._model.roles import Badge
from triort._transport.sockets import SocketConnection
from triort._transport.tcp import accept_tcp, close_listener, dial_tcp, listen_tcp

SIDES = ("plain", "TLS")
MESSAGES, BATCH = 5_000, 100
BULK_BYTES, BULKS = 8 << 20, 8
TRIPS, WIDE, LARGE_BYTES, LARGES = 200, 10_000, 4 << 20, 10
Figures = dict[str, float]


# -- connections -------------------------------------------------------------------------------------------------


@asynccontextmanager
async def open_pair(
    ours: Access | None, theirs: Access | None
) -> AsyncIterator[tuple[SocketConnection, SocketConnection]]:
    """Two ends in this process, with the handshake over."""
    [listener] = await listen_tcp("127.0.0.1", 0, theirs)
    near = await dial_tcp("127.0.0.1", listener.getsockname()[1], ours, timeout_s=5, max_bytes=None)
    far = await accept_tcp(listener, theirs, max_bytes=None)
    close_listener(listener)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.secure)
        nursery.start_soon(far.secure)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run_writer)
        yield near, far
        nursery.cancel_scope.cancel()
    near.close()
    far.close()


async def measure_pair(near: SocketConnection, far: SocketConnection) -> Figures:
    """CPU time of both ends together."""
    text = m.Talk(Address(1), 80), [bytes(80)]
    start = time.process_time()
    for _ in range(MESSAGES):
        near.send_nowait(*text)
        near.flush_nowait()
        await far.receive()
    single_us = (time.process_time() - start) / MESSAGES * 1e6
    start = time.process_time()
    for _ in range(MESSAGES // BATCH):
        for _ in range(BATCH):
            near.send_nowait(*text)
        near.flush_nowait()
        await take(far, BATCH)
    batched_us = (time.process_time() - start) / MESSAGES * 1e6
    large = m.Talk(Address(1), BULK_BYTES), [bytes(BULK_BYTES)]
    start = time.process_time()
    for _ in range(BULKS):
        near.send_nowait(*large)
        near.flush_nowait()
        await take(far, 1)
    bulk_ms = (time.process_time() - start) / (BULKS * BULK_BYTES >> 20) * 1e3
    return {"a message alone, µs": single_us, f"one of {BATCH} at once, µs": batched_us, "a MB, ms": bulk_ms}


async def take(conn: SocketConnection, count: int) -> None:
    while count:
        count -= len(await conn.receive())


async def measure_handshake(ours: Access | None, theirs: Access | None) -> Figures:
    """CPU time of both ends for a new connection."""
    start = time.process_time()
    for _ in range(20):
        async with open_pair(ours, theirs):
            pass
    return {"a new connection, ms": (time.process_time() - start) / 20 * 1e3}


# -- trees -------------------------------------------------------------------------------------------------------


@contextmanager
def node(side: str, kind: str, *words: str) -> Iterator[str]:
    """A server or manager; its address."""
    module = f"triort._cli.{kind}"
    command = ["-m", module] if side == "TLS" else ["-m", "tests.benchmarks.plain_node", module]
    process = subprocess.Popen([sys.executable, *command, "-p", "0", *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        yield next(word.strip(",") for word in line.split() if word.startswith("127.0.0.1:"))
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@asynccontextmanager
async def open_tree(side: str, levels: int, workers: int) -> AsyncIterator[triort.Client]:
    """A client of a server above so many levels of managers."""
    async with AsyncExitStack() as stack:
        address = stack.enter_context(node(side, "manager", "-n", str(workers)))
        for _ in range(levels - 1):
            address = stack.enter_context(node(side, "manager", "-m", address))
        address = stack.enter_context(node(side, "server", address))
        with without_tls() if side == "plain" else nullcontext():
            client = await stack.enter_async_context(triort.open_client(address))
        yield client


async def measure_tree(client: triort.Client) -> Figures:
    """A job's way and back, the rate of small tasks, the rate of large values."""
    await client.map(tasks.noop, range(1_000))
    start = time.perf_counter()
    for number in range(TRIPS):
        await client.run(tasks.noop, number)
    trip_us = (time.perf_counter() - start) / TRIPS * 1e6
    start = time.perf_counter()
    await client.map(tasks.noop, range(WIDE))
    rate = WIDE / (time.perf_counter() - start)
    value = bytes(LARGE_BYTES)
    start = time.perf_counter()
    for _ in range(LARGES):
        await client.run(tasks.noop, value)
    large = LARGES * LARGE_BYTES / (time.perf_counter() - start) / (1 << 20)
    return {"round trip, µs": trip_us, "tasks a second": rate, "large arguments, MB a second": large}


async def measure_all(reps: int, workers: int) -> dict[str, dict[str, Figures]]:
    """Medians, by row and side."""
    rows: dict[str, dict[str, list[Figures]]] = {}

    def note(row: str, side: str, figures: Figures) -> None:
        rows.setdefault(row, {each: [] for each in SIDES})[side].append(figures)

    access = {"plain": (None, None), "TLS": (Access(Badge.SERVER), Access(Badge.NODE))}
    for _ in range(reps):
        for side in SIDES:
            async with open_pair(*access[side]) as (near, far):
                note("connections", side, await measure_pair(near, far) | await measure_handshake(*access[side]))
    for levels in (1, 2):
        async with AsyncExitStack() as stack:
            clients = {s: await stack.enter_async_context(open_tree(s, levels, workers)) for s in SIDES}
            for _ in range(reps):
                for side in SIDES:
                    note(f"{levels} level{'s' * (levels > 1)}", side, await measure_tree(clients[side]))
    return {row: {side: medians(found) for side, found in sides.items()} for row, sides in rows.items()}


def medians(found: list[Figures]) -> Figures:
    return {name: round(statistics.median(each[name] for each in found), 2) for name in found[0]}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.tls", description=__doc__)
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with temporary_access():
        found = trio.run(measure_all, options.reps, options.workers)
    if options.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for row, sides in found.items():
        print(row)
        for name, plain in sides["plain"].items():
            tls = sides["TLS"][name]
            print(f"    {name:32} plain {plain:12,.2f}   TLS {tls:12,.2f}   {tls / plain:5.2f} times")


if __name__ == "__main__":
    main()
