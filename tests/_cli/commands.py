"""Commands as processes: started, awaited until they are ready, ended."""

from __future__ import annotations

import json
import os
import re
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import Signals
from typing import Any

from tests.chaos import node

ROOT = Path(__file__).resolve().parents[2]
BOUND_S = 30.0
WATCHED = str(Path(__file__).with_name("watched_command.py"))
MODULES = {
    "triort": "triort._cli.main",
    "triort-bqskit-server": "triort._cli.bqskit_server",
    "triort-manager": "triort._cli.manager",
    "triort-server": "triort._cli.server",
    "triort-worker": "triort._cli.worker",
}


def call(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", MODULES[words[0]], *words[1:]]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=BOUND_S, stdin=subprocess.DEVNULL)


class Command:
    """A command that runs; its stdout is read line by line."""

    def __init__(self, words: tuple[str, ...], cwd: Path, version: str | None, is_hasty: bool = False) -> None:
        start = ["-m", MODULES[words[0]]] if version is None else [WATCHED, MODULES[words[0]], version]
        if is_hasty:
            start = [node.__file__, MODULES[words[0]]]
        self.process = subprocess.Popen(
            [sys.executable, *start, *words[1:]],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, node.LIMITS: node.as_text(node.SHORT)},  # which `node` alone reads
        )
        self._port = ""

    def line(self) -> str:
        """The next line on stdout."""
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            assert selector.select(BOUND_S), "it says nothing"
        return self.process.stdout.readline()

    def port(self) -> str:
        """Wait until it is ready; where it listens."""
        line = self.line()
        found = re.search(r"listening for .* on 127\.0\.0\.1:(\d+)", line)
        assert found, (line, self.process.stderr.read() if not line and self.process.stderr else "")
        self._port = found[1]
        return self._port

    def port_there(self) -> str:
        """Where it has said that it listens."""
        return self._port

    def signal(self, number: Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: Signals | None = None) -> tuple[int, str, str]:
        """Signal it, if asked to, and wait for its end: exit code, the rest of stdout, all of stderr."""
        if number is not None:
            self.signal(number)
        out, err = self.process.communicate(timeout=BOUND_S)
        return self.process.returncode, out, err


class Commands:
    """The commands of one test."""

    def __init__(self) -> None:
        self.started: list[Command] = []
        self.are_hasty = False
        """Whether those that are started from now on give links up within seconds."""

    def start(self, *words: str, cwd: Path = ROOT, version: str | None = None) -> Command:
        """Start a command; ``version`` has it watched, and run as that version unless it is empty."""
        command = Command(words, cwd, version, self.are_hasty)
        self.started.append(command)
        return command

    def small_tree(self, *, version: str | None = None) -> tuple[Command, Command, list[Command], str]:
        """Server, manager, two managers with a worker each, and the server's port."""
        leaves = [self.start("triort-manager", "-p", "0", "-n", "1", version=version) for _ in range(2)]
        below = ",".join(f"127.0.0.1:{leaf.port()}" for leaf in leaves)
        middle = self.start("triort-manager", "-p", "0", "-m", below, version=version)
        server = self.start("triort-server", f"127.0.0.1:{middle.port()}", "-p", "0", version=version)
        return server, middle, leaves, server.port()


@contextmanager
def open_commands() -> Iterator[Commands]:
    """Start commands inside; what still runs at the end is ended, in order if it can be."""
    commands = Commands()
    try:
        yield commands
    finally:
        for command in commands.started:
            if command.process.poll() is None:
                command.process.terminate()
        for command in commands.started:
            try:
                command.process.communicate(timeout=BOUND_S)
            except subprocess.TimeoutExpired:
                command.process.kill()
                command.process.communicate()
                raise


def status(port: str) -> dict[str, Any]:
    """What ``triort status --json`` shows."""
    done = call("triort", "status", "--connect", f"127.0.0.1:{port}", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def wait_until(is_so: Any) -> None:
    """Look again and again, `BOUND_S` at most."""
    deadline = time.monotonic() + BOUND_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
