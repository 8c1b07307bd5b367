"""Task functions of the benchmarks; workers of all peers import this module, so it imports little."""

import importlib
import os
import secrets
import time
from pathlib import Path
from typing import Any

LOOK_S = 0.001
BOUND_S = 60.0


def noop(x: int) -> int:
    return x


async def noop_async(x: int) -> int:
    return x


def echo(value: Any) -> Any:
    return value


def import_numpy(x: int) -> None:
    """Have it in this worker; slow enough that others take part."""
    importlib.import_module("numpy")
    time.sleep(0.05)


def length(data: bytes) -> int:
    return len(data)


def pid(x: int) -> int:
    return os.getpid()


def nap(seconds: float) -> float:
    """Occupy a slot without computing; 0 is a no-op."""
    if seconds:
        time.sleep(seconds)
    return seconds


def note(folder: str) -> None:
    """Leave a file of one's own in a folder, for whoever waits for so many."""
    Path(folder, f"{os.getpid()}-{secrets.token_hex(4)}").touch()


def wait_noted(folder: str, count: int) -> None:
    """Block until so many have noted; raises TimeoutError after a minute."""
    deadline = time.monotonic() + BOUND_S
    while len(os.listdir(folder)) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(os.listdir(folder))} of {count} tasks have started")
        time.sleep(LOOK_S)


def spin(folder: str) -> None:
    """Compute for ever."""
    note(folder)
    while True:
        pass


def meet(folder: str, count: int) -> None:
    """End when so many of these run at once, so each has a worker of its own."""
    note(folder)
    wait_noted(folder, count)


def hold(folder: str, gate: str) -> None:
    """Occupy a worker until the gate is there."""
    note(folder)
    while not os.path.exists(gate):
        time.sleep(0.02)
