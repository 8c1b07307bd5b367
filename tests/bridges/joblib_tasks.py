"""Functions that the tests of the joblib backend have called on workers; these import this module."""

import os
import threading
import time
from pathlib import Path
from typing import Any

import trio.lowlevel
from joblib import Parallel, delayed, parallel_config
from joblib.parallel import get_active_backend


def square(x: int) -> int:
    return x * x


def fail(x: int) -> None:
    raise KeyError(x)


def mark_then_spin(path: str) -> None:
    Path(path).touch()
    while True:
        pass


def nested(n: int) -> tuple[int, str, int]:
    """The sum of a nested `Parallel`, what has run it, and the process of this task."""
    total = sum(Parallel(n_jobs=2)(delayed(square)(i) for i in range(n)))
    return total, type(get_active_backend()[0]).__name__, os.getpid()


def deep(depth: int) -> int:
    """A tree of tasks that all wait at once."""
    if not depth:
        return 1
    return 1 + sum(Parallel(n_jobs=2)(delayed(deep)(depth - 1) for _ in range(2)))


def default_jobs() -> tuple[int, int]:
    """How many jobs a nested `Parallel` has that asks for none, and for all."""
    return Parallel().n_jobs, Parallel(n_jobs=-1)._effective_n_jobs()


def in_a_thread() -> list[Any]:
    """A nested `Parallel` in a thread of the task."""
    values: list[Any] = []
    config = get_active_backend()[0]

    def use() -> None:
        with parallel_config(config, n_jobs=2):
            values.extend(Parallel()(delayed(square)(i) for i in range(3)))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    return values


async def in_an_async_task() -> list[int]:
    await trio.lowlevel.checkpoint()
    with parallel_config("triort", n_jobs=2):
        return list(Parallel()(delayed(square)(i) for i in range(3)))


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds
