"""Peers in processes of their own, as the suite holds them: it asks them for figures, and sees to it that all end."""

from __future__ import annotations

import json
import multiprocessing
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

import attrs
import psutil

from tests.benchmarks.row import Figures
from tests.benchmarks.sizes import Sizes

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "TRIORT_BENCHMARK"
OPEN_S = 120.0
MEASURE_S = 900.0
CLOSE_S = 30.0
SETTLE_S = 5.0
TAIL_CHARS = 3_000


class PeerFailed(Exception):
    """A peer could not be opened, has raised, died, or did not answer in time."""


@attrs.frozen(eq=False)
class Host:
    """One peer, open."""

    key: str
    pipe: Connection
    process: subprocess.Popen[bytes]
    log: IO[bytes]

    def ask(self, row: str, sizes: Sizes) -> Figures:
        """The figures of one repetition; raises `PeerFailed`."""
        self.pipe.send_bytes(json.dumps({"row": row, "sizes": attrs.asdict(sizes)}).encode())
        return self.receive(MEASURE_S)

    def receive(self, bound_s: float) -> Figures:
        if not self.pipe.poll(bound_s):
            raise PeerFailed(f"{self.key} did not answer within {bound_s:g} s: {self.tail()}")
        try:
            answer = json.loads(self.pipe.recv_bytes())
        except (EOFError, ConnectionError):
            raise PeerFailed(f"{self.key} has ended: {self.tail()}") from None
        if "error" in answer:
            raise PeerFailed(f"{self.key}: {answer['error']}")
        figures: Figures = answer["figures"]
        return figures

    def tail(self) -> str:
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-TAIL_CHARS:]


@contextmanager
def open_host(key: str, workers: int) -> Iterator[Host]:
    """Open a peer; afterwards nothing of it is left, whatever has happened."""
    token = secrets.token_hex(8)
    with (
        tempfile.TemporaryDirectory(prefix="bench", ignore_cleanup_errors=True) as folder,
        open(Path(folder, "log"), "w+b") as log,
    ):
        pipe, theirs = multiprocessing.Pipe()
        with pipe:
            with theirs:
                process = subprocess.Popen(
                    [sys.executable, "-m", "tests.benchmarks.host", key, str(workers), str(theirs.fileno())],
                    cwd=ROOT,
                    env=os.environ | {TOKEN: token, "TMPDIR": folder, "PYTHONPATH": str(ROOT)},
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            host = Host(key, pipe, process, log)
            try:
                host.receive(OPEN_S)
                yield host
                pipe.close()
                close(host, token)
            finally:
                kill_all(token)
                process.wait()


def close(host: Host, token: str) -> None:
    """Wait until a host that has been told to end and all that it has started are gone; raises `PeerFailed`."""
    try:
        code = host.process.wait(CLOSE_S)
    except subprocess.TimeoutExpired:
        raise PeerFailed(f"{host.key} did not end within {CLOSE_S:g} s: {host.tail()}") from None
    if code != 0:
        raise PeerFailed(f"{host.key} has ended with {code}: {host.tail()}")
    _, left = psutil.wait_procs(carriers(token), SETTLE_S)
    if left:
        raise PeerFailed(f"{host.key} has left processes behind: {left}")


def kill_all(token: str) -> None:
    """Kill what was started with this token and is still there."""
    deadline = time.monotonic() + SETTLE_S
    while found := carriers(token):
        for process in found:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        if time.monotonic() > deadline:
            raise PeerFailed(f"cannot be killed: {found}")
        psutil.wait_procs(found, 1.0)


def carriers(token: str) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if carries(process, token)]


def carries(process: psutil.Process, token: str) -> bool:
    try:
        return process.environ().get(TOKEN) == token
    except (psutil.Error, OSError):
        return False
