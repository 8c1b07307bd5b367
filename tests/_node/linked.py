"""Task functions for the tests of links: each run leaves a line in a file."""

from __future__ import annotations

import os

import trio

import triort


def note(path: str, name: str) -> None:
    with open(path, "a") as file:
        file.write(f"{name} {os.getpid()}\n")


async def tree(path: str, name: str, depth: int, fan: int, pause_s: float) -> int:
    """A tree of tasks, each of which takes a moment; its value is the number of its leaves."""
    note(path, name)
    await trio.sleep(pause_s)
    if depth == 0:
        return 1
    names = [f"{name}.{i}" for i in range(fan)]
    rt = triort.get_runtime()
    return sum(await rt.map(tree, [path] * fan, names, [depth - 1] * fan, [fan] * fan, [pause_s] * fan))


async def linger(path: str, name: str, seconds: float) -> str:
    """Wait for long; a cancel is noted."""
    note(path, f"start {name}")
    try:
        await trio.sleep(seconds)
    except trio.Cancelled:
        note(path, f"cancelled {name}")
        raise
    note(path, f"end {name}")
    return name
