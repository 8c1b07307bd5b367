"""What all examples share: their command line, and a client of an embedded cluster or of a running server."""

import argparse
import sys
from collections.abc import Awaitable, Callable

import trio

import triort


def start(main: Callable[[triort.Client, int], Awaitable[None]], *, size: int, meaning: str) -> None:
    """Run ``main(client, size)`` with what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=size, help=f"{meaning} (default: {size})")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-n", type=int, default=-1, metavar="N", help="embedded, with N workers (default: one per CPU)")
    where.add_argument("--connect", metavar="HOST:PORT", help="use a running server")
    options = parser.parse_args()

    async def connect_and_run() -> None:
        opening = triort.open_client(options.connect) if options.connect else triort.open_cluster(options.n)
        async with opening as client:
            await main(client, options.size)

    try:
        trio.run(connect_and_run)
    except triort.TriortError as exc:
        sys.exit(f"{type(exc).__name__}: {exc}")
