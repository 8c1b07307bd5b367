"""Task functions for the tests of clients and clusters; workers import this module."""

import logging
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio
import trio.lowlevel

import triort


class Expected(Exception):
    """An error that survives pickling."""


class Odd(Exception):
    """An error that does not: its constructor takes more than its args."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first}-{second}")


def square(x: int) -> int:
    return x * x


async def async_square(x: int) -> int:
    await trio.lowlevel.checkpoint()
    return x * x


def fail(text: str = "expected") -> None:
    raise Expected(text)


def fail_oddly() -> None:
    raise Odd(1, 2)


def raise_named(name: str) -> None:
    kinds: dict[str, BaseException] = {
        "SystemExit": SystemExit(3),
        "KeyboardInterrupt": KeyboardInterrupt(),
        "GeneratorExit": GeneratorExit(),
        "BaseException": BaseException("bare"),
    }
    raise kinds[name]


async def raise_named_async(name: str) -> None:
    raise_named(name)


def recurse(n: int = 0) -> int:
    return recurse(n + 1) + 1


def spin(seconds: float = 100.0) -> str:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
    return "to the end"


async def spin_async() -> str:
    return spin()


async def sleep_long() -> None:
    await trio.sleep(100)


def sleep_sync() -> None:
    time.sleep(100)


def swallow_interrupts(depth: int = 3) -> None:
    """An interrupt that comes just outside of one ``try`` is caught by the next one around it."""
    end = time.perf_counter() + 100
    while time.perf_counter() < end:
        try:
            swallow_interrupts(depth - 1) if depth else spin()
        except BaseException:  # the point of this task
            continue


async def shield_forever() -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep(100)


def fail_at_three(i: int) -> int:
    if i == 3:
        raise Expected("three")
    time.sleep(0.005)
    return i


def pick(values: list[int], i: int) -> int:
    return values[i]


def fail_until(path: str, times: int) -> int:
    file = Path(path)
    seen = file.stat().st_size if file.exists() else 0
    with file.open("a") as out:
        out.write("x")
    if seen < times:
        raise Expected("not yet")
    return seen


def wait_for_file(path: str) -> str:
    while not Path(path).exists():
        time.sleep(0.002)
    return "found"


async def wait_async_for_file(path: str) -> None:
    """Wait for something outside, if there is a path."""
    while path and not os.path.exists(path):
        await trio.sleep(0.005)


async def sum_of_squares(n: int) -> int:
    values: list[int] = await triort.get_runtime().map(square, range(n))
    await trio.sleep(0.02)
    return sum(values)


def square_slowly(x: int) -> int:
    time.sleep(0.05)
    return x * x


def get_lambda() -> Any:
    return lambda: 42


def get_lock() -> Any:
    return threading.Lock()


def nested_trio() -> int:
    async def main() -> int:
        await trio.sleep(0.001)
        return 3

    return trio.run(main)


def nested_asyncio() -> str:
    import asyncio

    import sniffio

    async def main() -> str:
        await asyncio.sleep(0.001)
        return sniffio.current_async_library()

    return asyncio.run(main())


def pickled_streams() -> list[bool]:
    """A handler of logging has the stream of its task; both can be sent on."""
    again = pickle.loads(pickle.dumps([sys.stdout, sys.stderr]))
    return [again[0] is sys.stdout, again[1] is sys.stderr]


def note(text: str) -> None:
    logging.addLevelName(35, "NOTE")
    logging.getLogger("tests.note").log(35, text)


def say(text: str) -> int:
    print(text)
    print(f"{text} on stderr", file=sys.stderr)
    logging.getLogger("tests.say").warning("%s in the log", text)
    return os.getpid()


def print_lines(count: int, width: int) -> int:
    line = "x" * width
    for _ in range(count):
        print(line)
    return count


def exit_process(code: int = 7) -> None:
    os._exit(code)


def get_pid(_: int = 0) -> int:
    return os.getpid()


def sleep_and_pid(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def mark_then_spin(path: str) -> None:
    Path(path).touch()
    spin()


IMPORTED = ("colorsys", "fractions", "xml.dom.minidom", "email.mime.text", "unittest.mock")


def import_for_ever() -> None:
    while True:
        for name in IMPORTED:
            sys.modules.pop(name, None)
            __import__(name)
            spin(0.001)


def find_half_made_modules(_: int = 0) -> list[str]:
    bad = []
    for name in IMPORTED:
        try:
            __import__(name)
        except BaseException as exc:  # whatever an interrupted import has left
            bad.append(f"{name}: {exc!r}")
        else:
            module = sys.modules[name]
            if getattr(module.__spec__, "_initializing", False):
                bad.append(f"{name} is half made")
    return bad


def fail_or_spin(kind: str) -> str:
    if kind == "spin":
        return spin()
    spin(0.1)
    raise Expected("of two")


def print_then_spin(text: str) -> None:
    print(text)
    spin()


def refused_in_a_thread(call: Callable[..., object], *args: Any) -> str:
    """What the UsageError says that a call raises in another thread of this process."""
    said: list[str] = []

    def run() -> None:
        try:
            call(*args)
        except triort.UsageError as exc:
            said.append(str(exc))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return said[0]
