"""Wrong use of the commands: one readable line, and the exit code that says whose fault it was."""

import signal
import socket

import pytest

from tests._cli.commands import Commands, call
from triort._model.errors import StartupError
from triort._node import hiring
from triort._node.server import Server
from triort._version import __version__

pytestmark = pytest.mark.processes

NODES = ["triort-manager", "triort-server", "triort-worker"]


@pytest.mark.parametrize(
    "command",
    [(name,) for name in ["triort", *NODES]] + [("triort", x) for x in ("run", "demo", "status", "init", "drain")],
)
def test_help_is_there(command: tuple[str, ...]) -> None:
    done = call(*command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {' '.join(command)} ")


@pytest.mark.parametrize("command", ["triort", *NODES])
def test_the_version_is_told(command: str) -> None:
    done = call(command, "--version")
    assert (done.returncode, done.stdout) == (0, f"triort {__version__}\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("triort", "required: COMMAND"),
        ("triort dance", "'dance'"),
        ("triort run", "FILE:FUNCTION"),
        ("triort run nothing", "FILE:FUNCTION"),
        ("triort run no_such_module:f", "no module 'no_such_module'"),
        ("triort run no_such_file.py:f", "no file 'no_such_file.py'"),
        ("triort run math:no_such_function", "no function 'no_such_function'"),
        ("triort run math:sqrt -n 0", "at least 1"),
        ("triort run math:sqrt 4 -n 1 --connect 127.0.0.1", "not allowed with"),
        ("triort demo --size 7", "invalid choice: 7"),
        ("triort status --connect nowhere:99999", "'99999'"),
        ("triort-manager -n 0", "at least 1"),
        ("triort-manager -n two", "'two' is not a number of workers"),
        ("triort-manager -p 65536", "65536 is not a port"),
        ("triort-manager -p -1", "-1 is not a port"),
        ("triort-manager -m a:b:c", "'a:b:c' is not an address"),
        ("triort-manager -m 127.0.0.1:1,,", "'' is not an address"),
        ("triort-manager -m 127.0.0.1:1 127.0.0.1:1", "named twice"),
        ("triort-manager --dance", "--dance"),
        ("triort-server 127.0.0.1:0", "'0'"),
        ("triort-server 127.0.0.1 -p 70000", "70000 is not a port"),
        ("triort-worker", "required: N"),
        ("triort-worker 0", "at least 1"),
        ("triort-worker 1 -c 9999", "CPU 9999"),
        ("triort-worker 1 -t 0", "at least 1"),
        ("triort-worker 1 -p 0", "port"),
    ],
)
def test_wrong_use_is_told_in_one_line(words: str, expected: str) -> None:
    done = call(*words.split(" "))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith(words.split()[0])
    assert "error: " in done.stderr
    assert expected in done.stderr


@pytest.mark.parametrize("command", ["triort-manager", "triort-server", "triort-manager -x -p 0 -w"])
def test_a_port_in_use_is_told_in_one_line(command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = command.split()
        done = call(*words, *([] if words[-1] == "-w" else ["-p"]), str(port))
    text = f"cannot listen on 127.0.0.1:{port}: address already in use; choose another port, or 0 for any"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{words[0]}: error: {text}\n")


def test_what_does_not_go_together_is_ignored_with_a_line(commands: Commands) -> None:
    manager = commands.start("triort-manager", "-p", "0", "-n", "3", "-m", "127.0.0.1:1", "127.0.0.1:2")
    line = manager.line()
    assert line.endswith(", will connect to 2 managers\n")
    assert manager.end(signal.SIGTERM) == (
        0, "", "triort-manager: -n is ignored: with -m the managers below have the workers\n",
    )  # fmt: skip


async def test_a_manager_that_is_not_there_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hiring, "DIAL_S", 0.1)
    with pytest.raises(StartupError, match=r"^cannot connect to 127\.0\.0\.1:1: connection refused \(attempts: 2\)$"):
        await Server([("127.0.0.1", 1)], 0).run()


@pytest.mark.slow
@pytest.mark.parametrize("words", ["triort-server 127.0.0.1:1 -p 0", "triort-worker 1 -p 1"])
def test_a_command_retries_with_growing_waits_and_gives_up(words: str) -> None:
    done = call(*words.split(), "-v")
    *attempts, last = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert "attempt 1 to connect to 127.0.0.1:1: connection refused" in attempts[0]
    assert 5 <= len(attempts) < 20
    assert last.startswith(f"{words.split()[0]}: error: cannot connect to 127.0.0.1:1: connection refused")


def test_a_status_without_a_server_does_not_wait_long() -> None:
    done = call("triort", "status", "--connect", "127.0.0.1:1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("triort status: error: cannot connect to 127.0.0.1:1: connection refused")
    assert done.stderr.count("\n") == 1
