"""How `test_template` and `test_spawning` make workers, hear them, and see what is left."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from triort._node.spawning import SpawnedWorker, Template, WorkerExit

HERE = Path(__file__).parent
BOUND_S = 10.0


async def spawn(template: Template, node_id: int, entry: str, **more: Any) -> SpawnedWorker:
    return await template.spawn(node_id, sys_path=[str(HERE), *sys.path], entry=f"template_entries:{entry}", **more)


async def hear(worker: SpawnedWorker) -> dict[str, Any]:
    """The next line that the worker tells."""
    line = b""
    with trio.fail_after(BOUND_S):
        while not line.endswith(b"\n"):
            await trio.lowlevel.wait_readable(worker.sock)
            piece = worker.sock.recv(65536)
            assert piece, "the worker has closed its link"
            line += piece
    told: dict[str, Any] = json.loads(line)
    return told


async def exit_of(template: Template) -> WorkerExit:
    with trio.fail_after(BOUND_S):
        return await template.receive_exit()


def is_alive(pid: int) -> bool:
    """Zombies, which nobody in a bare container may reap, count as dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def wait_until(condition: Callable[[], bool]) -> None:
    """For what the kernel or another process is about to do, and tells nobody."""
    with trio.fail_after(BOUND_S):
        while not condition():
            await trio.sleep(0.002)


async def wait_dead(*pids: int) -> None:
    await wait_until(lambda: not any(map(is_alive, pids)))


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def open_fds() -> Counter[str]:
    def targets() -> list[str]:
        found = []
        for entry in Path("/proc/self/fd").iterdir():
            try:
                found.append(os.readlink(entry))
            except FileNotFoundError:
                continue  # the listing itself
        return found

    return Counter(targets())


@asynccontextmanager
async def open_boss(
    *entries: str, **environment: str
) -> AsyncIterator[tuple[subprocess.Popen[bytes], list[dict[str, int]]]]:
    """A boss in a process of its own, and what its template and its workers have told."""
    command = [sys.executable, str(HERE / "template_boss.py"), *entries]
    more = {"env": {**os.environ, **environment}, "start_new_session": True}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, **more)  # type: ignore[call-overload]
    assert process.stdout is not None
    try:
        told = []
        with trio.fail_after(BOUND_S):
            while line := json.loads(await trio.to_thread.run_sync(process.stdout.readline, abandon_on_cancel=True)):
                told.append(line)
        yield process, told
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
