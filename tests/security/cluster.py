"""A server, and perhaps a manager with workers, as processes: audited, and with files of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import attrs
import trio

import triort
from tests.access import new_authority, write_access
from tests.chaos import node
from triort._access.certificates import Authority

ROOT = Path(__file__).resolve().parents[2]
AUDIT = ROOT / "tests" / "audit"
BOUND_S = 30.0


@attrs.define
class Cluster:
    """What runs, and where."""

    folder: Path
    files: Path
    authority: Authority
    port: int
    server: subprocess.Popen[str]
    processes: list[subprocess.Popen[str]]

    def ask(self) -> float:
        """How many seconds it takes an honest client to connect and hear the status."""
        took = 0.0

        async def ask() -> None:
            nonlocal took
            start = trio.current_time()
            async with triort.open_client(f"127.0.0.1:{self.port}", access=self.files) as client:
                await client.status()
                took = trio.current_time() - start

        trio.run(ask)
        return took

    def problems(self) -> list[str]:
        """Whether a process has ended, or has said that it unpickled."""
        return [f"process {p.pid} has ended with {p.returncode}" for p in self.processes if p.poll() is not None]

    def log(self) -> str:
        """What the server has said."""
        return (self.folder / "server.log").read_text()


@contextmanager
def open_cluster(*, workers: int = 0, before: str = "", limits: Mapping[str, float] | None = None) -> Iterator[Cluster]:
    """Start it, with other limits if some are given; ``before`` is a shell's command that comes first
    (``ulimit -n 64``)."""
    with tempfile.TemporaryDirectory(prefix="triort-security-") as name:
        folder = Path(name)
        authority = new_authority()
        files = write_access(folder / "files", authority)
        environment = {**os.environ, "TRIORT_ACCESS": str(files), "PYTHONPATH": f"{ROOT}{os.pathsep}{AUDIT}"}
        environment[node.LIMITS] = node.as_text(limits or {})
        processes: list[subprocess.Popen[str]] = []

        def start(kind: str, *words: str) -> int:
            command = [sys.executable, node.__file__, f"triort._cli.{kind}", "-p", "0", *words]
            if before and kind == "server":
                command = ["sh", "-c", f'{before}; exec "$@"', "sh", *command]
            with open(folder / f"{kind}.log", "w") as log:
                process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
            processes.append(process)
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"listening for .* on 127\.0\.0\.1:(\d+)", line)
            assert found, line or (folder / f"{kind}.log").read_text()
            return int(found[1])

        try:
            boss_of = []
            if workers:
                boss_of = [f"127.0.0.1:{start('manager', '-n', str(workers))}"]
            port = start("server", *(boss_of or ["--join"]))
            yield Cluster(folder, files, authority, port, processes[-1], processes)
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in processes:
                try:
                    process.wait(BOUND_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                if process.stdout is not None:
                    process.stdout.close()
