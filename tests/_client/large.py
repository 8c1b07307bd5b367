"""Task functions for the tests of large values; workers import this module."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

import triort

MIB = 1 << 20
Array = np.ndarray[Any, Any]


def echo(value: Any) -> Any:
    return value


def add_one(array: Array) -> Array:
    assert array.flags.writeable
    array += 1
    return array


def pid() -> int:
    return os.getpid()


def lent() -> int:
    """How many segments this process has a descriptor of."""
    links = [f"/proc/self/fd/{entry.name}" for entry in Path("/proc/self/fd").iterdir()]
    return len({os.stat(link).st_ino for link in links if os.path.lexists(link) and "triort-part" in os.readlink(link)})


def mapped() -> int:
    """How many values this process has mapped; segments of its own, which it may write into again, are none."""
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if "triort-part" in line]
    return sum(permissions.endswith("p") for _, permissions, *_ in lines)


def hold(value: Any, marks: str) -> int:
    """Say that it has started, and stay on the CPU."""
    Path(marks, f"{os.getpid()}-{time.monotonic_ns()}").touch()
    while True:
        pass


def die_once(value: Array, mark: str) -> float:
    """Spoil the argument and die; the second time, tell of it."""
    value += 1
    if not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return float(value.sum())


def fail_once(value: Array, mark: str) -> float:
    value += 1
    if not Path(mark).exists():
        Path(mark).touch()
        raise ValueError("the first time")
    return float(value.sum())


async def spread_out(count: int, size: int) -> list[float]:
    """Children that each get an array, change it, and give it back; and all of them one shared value."""
    runtime = triort.get_runtime()
    array = np.zeros(size)
    shared = runtime.put(np.ones(size))
    values = await runtime.map(add_shared, [array] * count, [shared] * count)
    assert not array.any()
    return [float(value.sum()) for value in values]


def add_shared(array: Array, shared: Array) -> Array:
    array += shared
    shared += 1  # this worker's own, and its next task here finds it so
    shared -= 1
    return array


def chain(depth: int, value: bytes) -> bytes:
    if not depth:
        return value
    result: bytes = triort.get_runtime().submit(chain, depth - 1, value).result()
    return result


def keep(value: Array) -> None:
    triort.get_runtime().get_cache()["kept"] = value


def kept_sum() -> float:
    return float(triort.get_runtime().get_cache()["kept"].sum())


def make(size: int, value: float) -> Array:
    return np.full(size, value)


def fail_with(data: bytes) -> None:
    raise ValueError(data)


def hear(size: int) -> int:
    """Wait for a message of this size."""
    while True:
        for message in triort.get_runtime().get_messages():
            assert len(message) == size
            return size


async def say(data: bytes) -> int:
    runtime = triort.get_runtime()
    future = runtime.submit(hear, len(data))
    runtime.communicate(future, data)
    return int(await future)
