"""What all examples share: their command line, and a client or a pool, embedded or of a running server."""

import argparse
import sys
from collections.abc import Awaitable, Callable

import trio

import triort


def read_arguments(size: int, meaning: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=size, help=f"{meaning} (default: {size})")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-n", type=int, default=-1, metavar="N", help="embedded, with N workers (default: one per CPU)")
    where.add_argument("--connect", metavar="HOST:PORT", help="use a running server")
    return parser.parse_args()


def start(main: Callable[[triort.Client, int], Awaitable[None]], *, size: int, meaning: str) -> None:
    """Run ``main(client, size)`` with what the command line asks for."""
    options = read_arguments(size, meaning)

    async def connect_and_run() -> None:
        opening = triort.open_client(options.connect) if options.connect else triort.open_cluster(options.n)
        async with opening as client:
            await main(client, options.size)

    try:
        trio.run(connect_and_run)
    except triort.TriortError as exc:
        sys.exit(f"{type(exc).__name__}: {exc}")


def start_pool(main: Callable[[triort.Executor, int], None], *, size: int, meaning: str) -> None:
    """Run ``main(pool, size)``, sync, with an Executor as the command line asks for it."""
    options = read_arguments(size, meaning)
    max_workers = None if options.n == -1 or options.connect else options.n
    try:
        with triort.Executor(max_workers, address=options.connect) as pool:
            main(pool, options.size)
    except triort.TriortError as exc:
        sys.exit(f"{type(exc).__name__}: {exc}")
