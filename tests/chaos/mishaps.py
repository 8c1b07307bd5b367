"""Tasks that misbehave; workers import this module."""

from __future__ import annotations

import ctypes
import hashlib
import os
import signal
import time
from pathlib import Path

import trio

import triort
from tests.chaos.plan import mix
from tests.chaos.records import END, START, note

POISONS = ("exit", "kill", "segfault")
ENDLESS_SIGNS = ("python", "async", "c", "sleep", "swallows")


class Swallowed(Exception):
    """Never raised: what a loop that takes everything says it has seen."""


def poison(how: str) -> None:
    """Die, and take the worker along."""
    if how == "exit":
        os._exit(7)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    ctypes.string_at(0)


async def ancestors(key: int, depth: int, how: str) -> tuple[int, int]:
    """A chain of parents, each with a few harmless children beside, above one poisonous leaf.

    Gives how often the poison was tried, and how many generations above it the crash was caught.
    """
    rt = triort.get_runtime()
    harmless = rt.map(add, range(4))
    child = rt.submit(ancestors, mix(key, depth), depth - 1, how) if depth else rt.submit(poison, how)
    try:
        found: tuple[int, int] = await child
    except triort.TaskCrashed as exc:
        found = (exc.crash.attempts, depth + 1)
    assert await harmless == list(range(1, 5))
    return found


def add(number: int) -> int:
    """A harmless task."""
    return number + 1


def endless(how: str, key: int) -> None:
    """Never return, in one of several ways; recorded once it runs."""
    note(key, START)
    if how == "python":
        while True:
            pass
    elif how == "c":
        hashlib.pbkdf2_hmac("sha256", b"", b"", (1 << 31) - 1)
    elif how == "sleep":
        while True:
            time.sleep(1_000)
    elif how == "swallows":
        while True:
            try:
                while True:
                    pass
            except BaseException:
                continue
    else:
        while True:
            sum(range(10**12))


async def endless_async(how: str, key: int) -> None:
    """Never return, on the CPU or at a checkpoint."""
    note(key, START)
    if how == "async":
        while True:
            pass
    await trio.sleep_forever()


def mark(key: int) -> int:
    """Say that a worker is free."""
    note(key, START)
    note(key, END)
    return key


def leave_children(folder: str, daemon: bool) -> int:
    """Fork children that run on, which hold all that this process has open; return while they run."""
    for _ in range(2):
        if os.fork() == 0:
            if daemon:
                os.setsid()
            Path(folder, f"child-{os.getpid()}").touch()
            while True:
                time.sleep(1_000)
    return os.getpid()


def fork_and_die(folder: str) -> None:
    """Fork children that run on, and die."""
    leave_children(folder, False)
    os._exit(9)


def eat_memory(step_mib: int) -> int:
    """Take memory, step by step, and use it."""
    held = []
    while True:
        held.append(b"x" * (step_mib << 20))
        time.sleep(0.005)
