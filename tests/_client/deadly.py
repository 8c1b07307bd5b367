"""Tasks that end their workers, each in another way, or leave something behind."""

import ctypes
import itertools
import os
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import trio

import triort

MIB = 1 << 20


def abort() -> None:
    os.abort()


def exit_with(code: int) -> None:
    os._exit(code)


async def nap_once(folder: str) -> None:
    """Wait long, but return at once where it has been before."""
    if not any(Path(folder).iterdir()):
        (Path(folder) / "was here").touch()
        await trio.sleep(100)


def segfault() -> None:
    ctypes.string_at(8)


def kill_itself(number: int = signal.SIGKILL) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


def speak_and_die() -> None:
    print("about to end", file=sys.stderr)
    os.write(2, b"from C code\n")
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def eat(num_mib: int) -> int:
    held = []
    for _ in range(num_mib):
        held.append(bytearray(MIB))
        time.sleep(0.001)
    time.sleep(0.5)
    return len(held)


def hold_none(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def eat_once(folder: str, num_mib: int) -> int:
    """Takes too much the first time only."""
    path = Path(folder, "eaten")
    if not path.exists():
        path.touch()
        eat(num_mib)
    return os.getpid()


async def parent_of(folder: str, name: str) -> tuple[str, list[int]]:
    """A child that kills its worker each time, and one that does not, as seen by their parent."""
    Path(folder, f"parent {name} {os.getpid()} {time.time_ns()}").touch()
    rt = triort.get_runtime()
    good = rt.submit(hold_none, 0.01)
    bad = rt.submit(kill_itself)
    try:
        await bad
    except triort.TaskCrashed as exc:
        return str(exc), [await good]
    raise AssertionError("it has lived")


async def deadly_chain(depth: int) -> int:
    """A leaf that kills its worker each time, below so many ancestors; how far above it that is caught."""
    if not depth:
        kill_itself()
    try:
        return int(await triort.get_runtime().submit(deadly_chain, depth - 1))
    except triort.TaskCrashed:
        return depth


def note(folder: str, name: str, seconds: float) -> str:
    """Leaves a file for each start."""
    Path(folder, f"{name} {os.getpid()} {time.time_ns()}").touch()
    time.sleep(seconds)
    return name


async def waiting_parent(folder: str, name: str, seconds: float) -> str:
    note(folder, f"parent-{name}", 0.0)
    return str(await triort.get_runtime().submit(note, folder, f"child-{name}", seconds))


STUBBORN_CHILD = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
)


def leave_processes(folder: str) -> None:
    """Forks, and starts programs, some of which start others, and is killed."""
    pids = Path(folder, "pids")
    with pids.open("a") as file:
        if (forked := os.fork()) == 0:
            time.sleep(600)  # holds the worker's link, as a fork does
            os._exit(0)
        child = subprocess.Popen([sys.executable, "-c", STUBBORN_CHILD], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        shell = subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE)
        assert shell.stdout is not None
        grandchild = int(shell.stdout.readline())
        file.write(f"{forked} {child.pid} {shell.pid} {grandchild} {os.getpid()}\n")
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def spin() -> None:
    while True:
        pass


def block_in_c() -> None:
    """A call that never returns, holds the interpreter, and heeds no signal."""
    deque(itertools.repeat(0), maxlen=0)
