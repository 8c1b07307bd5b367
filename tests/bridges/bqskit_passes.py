"""Passes and tasks as users of BQSKit write them; they know nothing of triort."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bqskit.compiler import BasePass
from bqskit.runtime import get_runtime


class Call(BasePass):
    """Awaits an async function and keeps what it gives."""

    def __init__(self, fn: Any, *args: Any) -> None:
        self.fn, self.args = fn, args

    async def run(self, circuit: Any, data: Any) -> None:
        data["out"] = await self.fn(*self.args)


def square(x: int) -> int:
    return x * x


def add(x: int, y: int, plus: int = 0) -> int:
    return x + y + plus


def fail(text: str) -> None:
    raise ValueError(text)


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def noted_nap(path: str, seconds: float) -> None:
    Path(path).touch()
    time.sleep(seconds)
    Path(path).unlink()


async def pair(x: int) -> list[int]:
    return list(await get_runtime().map(square, [x, x + 1]))


async def two_levels(n: int) -> list[list[int]]:
    return list(await get_runtime().map(pair, range(n)))


async def keywords() -> list[Any]:
    runtime = get_runtime()
    return [
        await runtime.submit(add, 1, y=2, task_name="adding"),
        await runtime.map(add, [1, 2], [3, 4], plus=10, task_name=["a", None], log_context=[{"a": "b"}, {}]),
    ]


async def as_they_come() -> list[Any]:
    """What `next` gives in all, what it gives then, what the future gives, and what `next` says after that."""
    runtime = get_runtime()
    future = runtime.map(nap, [0.2, 0.0, 0.1])
    batches = [await runtime.next(future)]
    while sum(map(len, batches)) < 3:
        batches.append(await runtime.next(future))
    empty, values = await runtime.next(future), await future
    return [
        sorted(each for batch in batches for each in batch),
        len(batches) > 1,
        empty,
        values,
        await message_of(runtime.next(future)),
    ]


async def message_of(awaitable: Any) -> str:
    try:
        await awaitable
    except RuntimeError as exc:
        return str(exc)
    return "nothing raised"


async def misuse() -> list[str]:
    """What is raised for what BQSKit's runtime does not allow."""
    runtime = get_runtime()
    cancelled, awaited = runtime.map(nap, [60, 60]), runtime.submit(square, 2)
    runtime.cancel(cancelled)
    await awaited
    said = [await message_of(cancelled), await message_of(awaited), await message_of(runtime.next(cancelled))]
    calls: list[Callable[[], object]] = [
        lambda: runtime.map(square, []),
        lambda: runtime.submit(square, 1, task_name=5),
        lambda: runtime.submit(square, 1, log_context={"a": 1}),
        lambda: runtime.map(square, [1], task_name=["a", "b"]),
        lambda: runtime.map(square, [1], log_context=[{}, {}]),
        lambda: runtime.submit(square, runtime.submit(square, 1)),
        lambda: runtime.cancel(awaited),
    ]
    for call in calls:
        try:
            call()
        except (RuntimeError, NotImplementedError, KeyError) as exc:
            said.append(f"{type(exc).__name__}: {exc}")
    return said


async def is_done() -> list[bool]:
    future = get_runtime().submit(nap, 0.2)
    before = future._done
    while not future._done:
        await get_runtime().submit(nap, 0.02)
    await future
    return [before, future._done]


def listen(seconds: float) -> list[Any]:
    heard: list[Any] = []
    deadline = time.monotonic() + seconds
    while not heard and time.monotonic() < deadline:
        heard = get_runtime().get_messages()
    return heard


async def tell() -> list[Any]:
    future = get_runtime().map(listen, [20.0, 20.0])
    get_runtime().communicate(future, {"to": "both"})
    return list(await future)


async def cache() -> int:
    get_runtime().get_cache()["key"] = 5
    return int(get_runtime().get_cache()["key"])


async def leave_children(path: str) -> bool:
    get_runtime().submit(noted_nap, path, 60.0)
    while not os.path.exists(path):
        await get_runtime().submit(nap, 0.01)
    return True


async def failing_child() -> None:
    await get_runtime().submit(fail, "too bad")


async def unseen_failure() -> None:
    future = get_runtime().submit(fail, "nobody looks")
    while not future._done:
        await get_runtime().submit(nap, 0.01)


async def caught_failure() -> str:
    try:
        await get_runtime().submit(fail, "too bad")
    except ValueError as exc:
        return str(exc)
    return ""


async def die_once(path: str) -> int:
    return int(await get_runtime().submit(kill_worker, path))


def kill_worker(path: str) -> int:
    if not os.path.exists(path):
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 7


async def own_loop() -> int:
    return int(await get_runtime().submit(run_asyncio))


def run_asyncio() -> int:
    return asyncio.run(asyncio.sleep(0, 11))


async def environment(name: str) -> list[str]:
    return list(await get_runtime().map(os.environ.get, [name, name]))


class Locked:
    """BQSKit's runtime pickles a lock, and what has one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def square(self, x: int) -> int:
        with self.lock:
            return x * x


def is_free(lock: Any, *, other: Any = None) -> bool:
    return not lock.locked() and (other is None or not other.locked())


async def locks() -> list[Any]:
    runtime = get_runtime()
    return [
        await runtime.submit(Locked().square, 3),
        await runtime.submit(is_free, threading.Lock(), other=threading.Lock()),
        await runtime.map(is_free, [threading.Lock(), threading.Lock()]),
        await runtime.submit(level_of, logging.StreamHandler()),
    ]


def level_of(handler: logging.Handler) -> int:
    return handler.level


async def generator_as_argument() -> list[str]:
    try:
        get_runtime().submit(square, (x for x in "ab"))
    except TypeError as exc:
        return [str(exc), *exc.__notes__]
    return []


def draw(seconds: float) -> tuple[int, float]:
    time.sleep(seconds)
    return os.getpid(), float(np.random.rand())


async def first_numbers() -> list[float]:
    """The first random number that each worker draws."""
    first: dict[int, float] = {}
    while len(first) < 2:
        for worker, number in await get_runtime().map(draw, [0.1, 0.1]):
            first.setdefault(worker, number)
    return list(first.values())


async def pid() -> int:
    return os.getpid()


async def log_levels(depth: int) -> None:
    """One record for each level of logging, at each depth."""
    for name, level in (("bqskit.x", logging.DEBUG), ("own.x", logging.INFO), ("own.x", logging.ERROR)):
        logging.getLogger(name).log(level, "%s at %d", logging.getLevelName(level), depth)
    if depth < 2:
        await get_runtime().submit(log_levels, depth + 1, log_context={f"level{depth}": "yes"})


async def leaver() -> None:
    """What no task should do."""
    raise SystemExit(3)
