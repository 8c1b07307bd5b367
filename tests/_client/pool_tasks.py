"""Functions that the tests of the `Executor` have called on workers; these import this module."""

import concurrent.futures
import functools
import logging
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, FIRST_EXCEPTION, as_completed, wait
from pathlib import Path
from typing import Any

import trio
import trio.lowlevel

import triort
from tests._client.jobs import refused_in_a_thread

STATE: dict[str, Any] = {}


def square(x: int) -> int:
    return x * x


def add(x: int, y: int = 0) -> int:
    return x + y


def catch_all(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return args, kwargs


async def async_square(x: int) -> int:
    await trio.lowlevel.checkpoint()
    return x * x


def fail(text: str = "expected") -> None:
    raise KeyError(text)


def nap(seconds: float, value: Any = None) -> Any:
    time.sleep(seconds)
    return value


def mark(path: str) -> None:
    Path(path).touch()


def mark_then_spin(path: str) -> None:
    mark(path)
    while True:
        pass


def spin() -> None:
    while True:
        pass


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def pid(_: Any = None) -> int:
    return os.getpid()


def span(seconds: float) -> tuple[float, float]:
    began = time.monotonic()
    time.sleep(seconds)
    return began, time.monotonic()


class Opaque:
    """Cannot be pickled, and says so."""

    def __reduce__(self) -> Any:
        raise TypeError("opaque")


class Rude:
    """Raises what is no `Exception` when it is pickled."""

    def __reduce__(self) -> Any:
        raise SystemExit(3)


class Sour:
    """Can be pickled, and not be unpickled."""

    def __reduce__(self) -> Any:
        return fail, ("sour",)


class Plain:
    """An object that may be referred to weakly."""

    def method(self) -> int:
        return 1


def make_plain(_: Any) -> Plain:
    return Plain()


def make_sour() -> Sour:
    return Sour()


def set_state(value: Any) -> None:
    STATE["value"] = value
    STATE["calls"] = STATE.get("calls", 0) + 1


def get_state(_: Any = None) -> tuple[Any, int]:
    return STATE.get("value"), STATE.get("calls", 0)


def get_size(_: Any = None) -> tuple[int, int]:
    return len(STATE["value"]), STATE["calls"]


def fail_in_initializer() -> None:
    raise ValueError("not today")


def spawn_marks(path: str, count: int) -> None:
    """Children that spin, each with a mark, which the task waits for."""
    with triort.Executor() as pool:
        for i in range(count):
            pool.submit(mark_then_spin, f"{path}.{i}")
        mark(path)


# -- inside a task ---------------------------------------------------------------------------------------------------


def in_a_task(how: Callable[[triort.Executor], Any]) -> Any:
    """What ``how`` gives for a pool that is made inside the task."""
    with triort.Executor() as pool:
        return how(pool)


def use_given(pool: triort.Executor, n: int) -> int:
    """Uses the pool that has called it."""
    return sum(pool.map(square, range(n)))


def go_down(pool: triort.Executor, depth: int) -> int:
    """A tree of sync tasks that all wait for others at once, by the same pool."""
    if not depth:
        return 1
    return 1 + sum(pool.map(functools.partial(go_down, pool), [depth - 1] * 2))


def nested_map(pool: triort.Executor) -> list[int]:
    return [*pool.map(square, range(5)), *pool.map(square, range(5), chunksize=2, buffersize=1)]


def nested_wait(pool: triort.Executor) -> list[Any]:
    futures = [pool.submit(square, i) for i in range(5)]
    done, not_done = wait(futures)
    first, _ = wait([pool.submit(square, 9), pool.submit(nap, 0.01)], return_when=FIRST_COMPLETED)
    failed, _ = wait([pool.submit(fail), pool.submit(nap, 0.01)], return_when=FIRST_EXCEPTION)
    return [sorted(f.result() for f in done), not_done, bool(first), bool(failed)]


def nested_as_completed(pool: triort.Executor) -> list[int]:
    return sorted(future.result() for future in as_completed([pool.submit(square, i) for i in range(20)], timeout=30))


def nested_polling(pool: triort.Executor) -> list[int]:
    futures = [pool.submit(square, i) for i in range(3)]
    while not all(future.done() for future in futures):
        pass
    return [future.result(timeout=0) for future in futures]


def nested_timeout(pool: triort.Executor) -> list[Any]:
    future = pool.submit(spin)
    assert wait([future], timeout=0.05).not_done == {future}
    try:
        future.result(timeout=0.05)
    except concurrent.futures.TimeoutError:
        return [future.done(), future.cancel(), future.cancelled(), future.done(), future.cancel()]
    return []


def nested_callbacks(pool: triort.Executor) -> tuple[list[int], list[int]]:
    """Callbacks that submit more."""
    seen: list[int] = []
    more: list[concurrent.futures.Future[int]] = []

    def on_end(future: concurrent.futures.Future[int]) -> None:
        seen.append(future.result())
        more.append(pool.submit(square, future.result()))

    futures = [pool.submit(square, i + 1) for i in range(3)]
    for future in futures:
        future.add_done_callback(on_end)
    wait(futures)
    return sorted(seen), sorted(future.result() for future in more)


def nested_errors(pool: triort.Executor) -> list[str]:
    said = []
    for future in (pool.submit(fail), pool.submit(square, Opaque()), pool.submit(die)):  # type: ignore[arg-type]
        exc = future.exception()
        said.append(type(exc).__name__)
    return said


def nested_with_thread(pool: triort.Executor) -> list[int]:
    """Futures of two pools in one wait."""
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        futures = [pool.submit(square, 3), threads.submit(nap, 0.05, 16)]
        return sorted(future.result() for future in as_completed(futures))


def nested_from_a_thread(pool: triort.Executor) -> str:
    return refused_in_a_thread(pool.submit, square, 1)


def nested_in_asyncio(pool: triort.Executor) -> str:
    import asyncio

    async def main() -> None:
        await asyncio.get_running_loop().run_in_executor(pool, square, 1)

    try:
        asyncio.run(main())
    except triort.UsageError as exc:
        return str(exc)
    return ""


def nested_open_at_the_end() -> int:
    triort.Executor().submit(spin)
    return 1


def nested_cancel_futures(pool: triort.Executor) -> int:
    futures = [pool.submit(nap, 0.01) for _ in range(30)]
    pool.shutdown(cancel_futures=True)
    return sum(future.cancelled() for future in futures)


def nested_after_shutdown(pool: triort.Executor) -> str:
    pool.shutdown()
    try:
        pool.submit(square, 1)
    except RuntimeError as exc:
        return str(exc)
    return ""


def connect_inside(address: str) -> str:
    try:
        triort.Executor(address=address)
    except triort.UsageError as exc:
        return str(exc)
    return ""


async def nested_async(n: int) -> tuple[list[int], str]:
    pool = triort.Executor()
    futures = [pool.submit(square, i) for i in range(n)]
    said = ""
    try:
        futures[-1].result()
    except triort.UsageError as exc:
        said = str(exc)
    values = [await future for future in futures]  # type: ignore[misc]
    pool.shutdown()
    return values, said


def log_it(text: str) -> None:
    logging.getLogger("pool.task").warning(text)
    print("printed", text)
