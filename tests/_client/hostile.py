"""Task functions that do what nobody should; workers import this module."""

import logging
import os
import sys
import threading
import time
from typing import Any

import trio

import triort
from tests._client.jobs import refused_in_a_thread, spin


class ExitWhenPickled:
    def __reduce__(self) -> Any:
        raise SystemExit(5)


class ExitWhenShown(Exception):
    def __str__(self) -> str:
        raise SystemExit(5)


class BadNotes(Exception):
    @property
    def __notes__(self) -> list[str]:  # type: ignore[override]
        raise ValueError("no notes")


def return_hostile() -> Any:
    return ExitWhenPickled()


def raise_hostile(kind: str) -> None:
    if kind == "text":
        raise ExitWhenShown
    if kind == "notes":
        raise BadNotes
    if kind == "stop":
        raise StopIteration(3)
    raise SyntaxError("m", ("f", 1, "one", "text"))  # type: ignore[arg-type]  # the traceback module chokes on it


async def await_hostile(kind: str) -> str:
    try:
        await triort.get_runtime().submit(raise_hostile, kind)
    except Exception as exc:
        return type(exc).__name__
    return "nothing"


def print_in_threads(count: int, chars: int) -> None:
    threads = [threading.Thread(target=print, args=("x" * chars,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def submit_in_a_thread() -> str:
    return refused_in_a_thread(triort.get_runtime().submit, spin, 0.0)


def log_an_odd_record() -> str:
    logging.getLogger().handle(logging.makeLogRecord({"levelno": 40, "msg": "odd", "name": None, "lineno": None}))
    return "logged"


def log_a_file_name() -> str:
    try:
        raise ValueError(os.fsdecode(b"no utf-8: \xff"))
    except ValueError:
        logging.getLogger("odd").exception("it fails")
    return "logged"


async def name_a_child_by_a_file() -> str:
    try:
        return await triort.get_runtime().submit(str, 1, task_name=os.fsdecode(b"\xff"))
    except triort.UsageError as exc:
        return str(exc)


def close_everything_and_spin() -> None:
    os.closerange(3, 1_000)
    spin()


def swallow() -> None:
    end = time.perf_counter() + 100
    while time.perf_counter() < end:
        try:
            spin()
        except BaseException:
            continue


async def time_out_a_stubborn_child() -> str:
    try:
        await triort.get_runtime().options(timeout_s=0.2).submit(swallow)
    except (triort.TaskTimeout, triort.TaskCrashed) as exc:
        return type(exc).__name__
    return "nothing"


def print_wide() -> None:
    print("\N{GRINNING FACE}" * 500_000)


def write_bytes() -> None:
    sys.stdout.buffer.write(b"raw \xff bytes\n")


async def stop_waiting_for_next() -> list[float]:
    runtime = triort.get_runtime()
    future = runtime.map(nap, [0.4, 0.4])
    with trio.move_on_after(0.1):
        await runtime.next(future)
    return await future


def nap(seconds: float) -> float:
    spin(seconds)
    return seconds


async def cancel_and_ask() -> tuple[bool, bool]:
    runtime = triort.get_runtime()
    future = runtime.submit(spin)
    before = future.done()
    runtime.cancel(future)
    return before, future.done()


class Adder:
    def __init__(self, n: int) -> None:
        self.n = n

    def __call__(self, x: int) -> int:
        return self.n + x


async def submit_what_changes() -> tuple[int, int]:
    runtime, adder = triort.get_runtime(), Adder(1)
    first = runtime.submit(adder, 0)
    adder.n = 2
    second = runtime.submit(adder, 0)
    return await first, await second


def keep_a_ref() -> str:
    cache = triort.get_runtime().get_cache()
    if "ref" not in cache:
        cache["ref"] = triort.get_runtime().put([1, 2, 3])
        return "kept"
    try:
        return str(triort.get_runtime().submit(len, cache["ref"]).result())
    except triort.UsageError as exc:
        return str(exc)


async def map_with_bad_context() -> str:
    try:
        await triort.get_runtime().map(abs, range(200), log_context={"n": 1})  # type: ignore[dict-item]
    except triort.UsageError as exc:
        return str(exc)
    return "accepted"


async def result_in_asyncio() -> str:
    return await triort.get_runtime().submit(wait_in_asyncio)


def wait_in_asyncio() -> str:
    import asyncio

    future = triort.get_runtime().submit(nap, 0.0)

    async def main() -> str:
        try:
            return str(future.result())
        except triort.UsageError as exc:
            return str(exc)

    said = asyncio.run(main())
    future.result()
    return said


async def count_pokes_after_a_deadline() -> int:
    """How many pokes meet a second of computing, long after another task of this worker had a deadline."""
    import signal

    runtime = triort.get_runtime().options(timeout_s=0.1)
    try:
        await runtime.submit(nap, 5.0)
    except triort.TaskTimeout:
        pass
    pokes, before = [], signal.getsignal(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, lambda number, frame: pokes.append(number))
    spin(1.0)
    signal.signal(signal.SIGUSR1, before)
    return len(pokes)
