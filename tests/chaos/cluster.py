"""A cluster of real commands on this machine: a server, a manager of managers, and managers with workers.

    server ─┬─ middle ─┬─ leaf0 ── workers
            │          └─ leaf1 ── workers
            └─ leaf2 ── workers

Ports are fixed, so that a node that is started again is found where it was. All that runs carries a token in its
environment; after the end nothing with this token may be left, and nothing in the temporary folder that it had.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import psutil
import trio

from tests.chaos import records
from tests.chaos.node import LIMITS, as_text
from tests.chaos.nodes import ROOT, End, Node, free_port, workers_of
from tests.chaos.proxy import Proxy

TOKEN = "TRIORT_CHAOS_TOKEN"
START_S = 60.0
SETTLE_S = 10.0
STARTUP_FAILED = (
    "could not start",
    "did not start",
    "before all below had started",
    "before it had started",
    "closed the connection during the handshake",  # of a start: later a boss dials on
)
COMPILERS_FILE = re.compile(r"cc\w{6}\.\w+")
"""Trio, when it is imported, looks for a library with the help of gcc; a kill at that moment leaves gcc's files."""
COMMANDS = {kind: f"triort._cli.{kind}" for kind in ("server", "manager")}


@attrs.define(eq=False)
class Cluster:
    """The nodes of one run; made by `open_cluster`."""

    folder: Path
    token: str
    nodes: dict[str, Node]
    proxies: dict[str, Proxy]
    """Before which managers there is one."""
    leftovers: list[str] = attrs.Factory(list)
    """What was still there after the end."""

    @property
    def server(self) -> Node:
        return self.nodes["server"]

    @property
    def leaves(self) -> list[Node]:
        return [node for name, node in self.nodes.items() if name.startswith("leaf")]

    @property
    def managers(self) -> list[Node]:
        return [node for node in self.nodes.values() if node is not self.server]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    @property
    def records(self) -> Path:
        return self.folder / "records"

    def workers(self) -> list[int]:
        """The pids of all worker processes."""
        return [pid for leaf in self.leaves for pid in workers_of(leaf)]

    def own_ends(self) -> list[str]:
        """Nodes that have ended though nobody here had killed them; a start that has failed is none."""
        return [f"{end.node} ended by itself with code {end.code}: {end.last_line}" for end in self._ends(False)]

    def num_failed_starts(self) -> int:
        """How often a node has ended at its start: when what it waits for is killed just then, it says so and ends."""
        return len(self._ends(True))

    def _ends(self, at_start: bool) -> list[End]:
        ends = [end for node in self.nodes.values() for end in node.ends if not end.killed]
        return [end for end in ends if any(text in end.last_line for text in STARTUP_FAILED) is at_start]


def layout(
    folder: Path,
    token: str,
    num_workers: int,
    limits: Mapping[str, float],
    server_words: Sequence[str],
    leaf_words: Sequence[str],
    *,
    proxied: bool,
) -> tuple[dict[str, Node], dict[str, Proxy]]:
    """The nodes, and the proxies before managers if these are wanted; none of them started."""
    environment = {
        **os.environ,
        TOKEN: token,
        LIMITS: as_text(limits),
        records.FOLDER: str(folder / "records"),
        "TMPDIR": str(folder / "tmp"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    salt = secrets.randbelow(1 << 20)
    ports = {}
    for index, name in enumerate(("server", "middle", "leaf0", "leaf1", "leaf2")):
        ports[name] = free_port(salt + index)
    proxies = {}
    if proxied:
        for index, name in enumerate(list(ports)[1:]):
            proxies[name] = Proxy(free_port(salt + 100 + index), ports[name])

    def node(name: str, kind: str, *words: str) -> Node:
        return Node(name, [COMMANDS[kind], "-p", str(ports[name]), *words], ports[name], folder, environment)

    def at(*names: str) -> str:
        return ",".join(f"127.0.0.1:{proxies[name].port if name in proxies else ports[name]}" for name in names)

    nodes = [node(f"leaf{i}", "manager", "-n", str(num_workers), *leaf_words) for i in range(3)]
    nodes.append(node("middle", "manager", "-m", at("leaf0", "leaf1")))
    nodes.append(node("server", "server", *server_words, at("middle", "leaf2")))
    return {node.name: node for node in nodes}, proxies


@asynccontextmanager
async def open_cluster(
    num_workers: int = 2,
    *,
    limits: Mapping[str, float] | None = None,
    server_words: Sequence[str] = (),
    leaf_words: Sequence[str] = (),
    proxied: bool = False,
    keep: bool = False,
) -> AsyncIterator[Cluster]:
    """Start a cluster and wait until its server listens; end it afterwards and look what it has left.

    ``server_words`` go to the server's command line, in which ``{folder}`` is the folder of the run, ``leaf_words`` to
    those of the managers with workers. ``proxied`` puts a proxy before each manager. ``keep`` leaves the folder, with
    the logs, where it is, and names it.
    """
    folder = Path(tempfile.mkdtemp(prefix="triort-chaos-"))
    for name in ("records", "tmp"):
        (folder / name).mkdir()
    token = secrets.token_hex(8)
    words = [word.format(folder=folder) for word in server_words]
    nodes, proxies = layout(folder, token, num_workers, limits or {}, words, leaf_words, proxied=proxied)
    cluster = Cluster(folder, token, nodes, proxies)
    if keep:
        print(f"  logs and records: {folder}", file=sys.stderr, flush=True)
    try:
        async with trio.open_nursery() as nursery:
            for proxy in cluster.proxies.values():
                await nursery.start(proxy.run)
            for node in cluster.nodes.values():
                nursery.start_soon(node.run)
                with trio.fail_after(START_S):  # a proxy says nothing of a manager that does not listen yet
                    await node.wait_listening()
            try:
                yield cluster
            finally:
                with trio.CancelScope(shield=True):
                    await close(cluster)
                nursery.cancel_scope.cancel()
    finally:
        kill_strays(token)
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


async def close(cluster: Cluster) -> None:
    """End all nodes, the server first; then look for what is left."""
    for node in cluster.nodes.values():
        node.closing = True  # from now on none is started again
    for node in [cluster.server, *cluster.managers]:
        if not await node.close():
            cluster.leftovers.append(f"{node.name} did not end in order at SIGTERM: {node.last_line()}")
    with trio.move_on_after(SETTLE_S):
        while strays(cluster.token):
            await trio.sleep(0.05)
    cluster.leftovers += [describe(process) for process in strays(cluster.token)]
    files = sorted((cluster.folder / "tmp").rglob("*"))
    cluster.leftovers += [f"file {path}" for path in files if not COMPILERS_FILE.fullmatch(path.name)]
    cluster.leftovers += [f"/dev/shm/{path.name}" for path in Path("/dev/shm").glob("*triort*")]


def strays(token: str) -> list[psutil.Process]:
    """All processes, wherever they hang, that carry the token."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(TOKEN) == token and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def describe(process: psutil.Process) -> str:
    """One line about a process that may end while we look at it."""
    try:
        return f"process {process.pid} (parent {process.ppid()}, {process.status()}): {' '.join(process.cmdline())}"
    except psutil.Error:
        return f"process {process.pid}"


def kill_strays(token: str) -> None:
    """Nothing of this run outlives it."""
    for process in strays(token):
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.Error:
            continue
