"""Nodes of a cluster as commands, supervised as systemd does it: what ends before its time is started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import attrs
import psutil
import trio

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = str(Path(__file__).with_name("node.py"))
PORTS = (20_000, 32_000)  # below those that the system gives to outgoing connections
RESTART_S = 0.05
RESTARTS_OWN_MAX = 20
TERMINATE_S = 20.0


def free_port(salt: int) -> int:
    """A port that nobody listens on, the same one for the whole run; blocks for microseconds."""
    low, high = PORTS
    for step in range(high - low):
        port = low + (salt * 7_919 + step) % (high - low)
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port")


@attrs.frozen
class End:
    """A node has ended: when, how, what it said last, and whether somebody here had killed it."""

    node: str
    time_s: float
    code: int
    killed: bool
    last_line: str


@attrs.define(eq=False)
class Node:
    """One server or manager; ``words`` is its command line, the module of the command first."""

    name: str
    words: list[str]
    port: int
    folder: Path
    environment: dict[str, str]
    process: trio.Process | None = None
    starts: int = 0
    ends: list[End] = attrs.Factory(list)
    closing: bool = False
    _killed: bool = False

    @property
    def pid(self) -> int:
        """Of the process that runs now; 0 between two."""
        return self.process.pid if self.process is not None and self.process.returncode is None else 0

    @property
    def log(self) -> Path:
        """What all processes of this node have said on stdout and stderr."""
        return self.folder / f"{self.name}.log"

    async def run(self) -> None:
        """Run the command, again and again while it is not `closing`."""
        while not self.closing:
            await self._run_once()
            if sum(not end.killed for end in self.ends) > RESTARTS_OWN_MAX:
                return
            await trio.sleep(RESTART_S)

    async def _run_once(self) -> None:
        with self.log.open("ab") as log:
            log.write(f"-- start {self.starts}\n".encode())
            log.flush()
            self._killed = False
            self.process = await trio.lowlevel.open_process(
                [sys.executable, LAUNCHER, *self.words],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.starts += 1
        try:
            code = await self.process.wait()
        finally:
            if self.process.returncode is None:
                self.process.kill()
        if not self.closing:
            self.ends.append(End(self.name, time.monotonic(), code, self._killed, self.last_line()))

    def last_line(self) -> str:
        """The last line of the log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else ""

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens between two processes."""
        if self.pid:
            self._killed = self._killed or number in (signal.SIGKILL, signal.SIGTERM)
            os.kill(self.pid, number)

    def excuse(self) -> None:
        """Something that this node cannot live without has been killed, so its end is no surprise."""
        self._killed = True

    async def wait_listening(self) -> None:
        """Wait until the node accepts connections at its port."""
        while not self.is_listening():
            await trio.sleep(0.01)

    def is_listening(self) -> bool:
        """Whether the process of this node listens at its port; looks only, connects to nothing."""
        if not self.pid:
            return False
        try:
            sockets = psutil.Process(self.pid).net_connections(kind="tcp4")
        except psutil.Error:
            return False
        return any(found.status == psutil.CONN_LISTEN and found.laddr.port == self.port for found in sockets)

    async def close(self) -> bool:
        """End the node by SIGTERM, by SIGKILL if it takes too long; whether it ended in order."""
        if not self.pid or self.process is None:
            return True
        self.process.terminate()
        self.process.send_signal(signal.SIGCONT)
        with trio.move_on_after(TERMINATE_S):
            code = await self.process.wait()
            return code in (0, -signal.SIGTERM)  # the latter where the signal meets one that has just ended
        self.process.kill()
        await self.process.wait()
        return False


def template_of(node: Node) -> int:
    """The pid of the template of a manager with workers, or 0."""
    return next(iter(children_of([node.pid])), 0)


def workers_of(node: Node) -> list[int]:
    """The pids of the worker processes of a manager."""
    return children_of(children_of([node.pid]))


def children_of(pids: Iterable[int]) -> list[int]:
    """The children of some processes, as the kernel lists them."""
    found: list[int] = []
    for pid in pids:
        try:
            for task in Path(f"/proc/{pid}/task").iterdir() if pid else ():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found
