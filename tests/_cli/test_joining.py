"""Managers that come by themselves: to a server that has none, to one with some, to a manager."""

import signal

import pytest

from tests._cli.commands import Commands, call, status, wait_until
from tests._cli.test_tree import check_job

pytestmark = pytest.mark.processes


def test_managers_join_a_server_that_started_without_any(commands: Commands) -> None:
    server = commands.start("triort-server", "--join", "-p", "0")
    port = server.port()
    job = commands.start("triort", "run", "math:sqrt", "9", "--connect", f"127.0.0.1:{port}")
    wait_until(lambda: status(port)["backlog"] == 1)
    joiners = [
        commands.start("triort-manager", "--join", f"127.0.0.1:{port}", "-n", str(number), "-p", "0")
        for number in (1, 2)
    ]
    for joiner in joiners:
        line = joiner.line()
        assert f": joins 127.0.0.1:{port}, listening for managers on 127.0.0.1:" in line
        assert line.endswith((", will start 1 worker\n", ", will start 2 workers\n"))
    assert job.end() == (0, "3.0\n", "")
    wait_until(lambda: status(port)["num_workers"] == 3)
    check_job(port)
    assert server.end(signal.SIGTERM) == (0, "", "")
    assert [joiner.end() for joiner in joiners] == [(0, "", "")] * 2


def test_a_manager_joins_a_manager_and_the_server_hears_of_its_workers(commands: Commands) -> None:
    commands.are_hasty = True
    server, middle, leaves, port = commands.small_tree()
    first = commands.start("triort-manager", "--join", f"127.0.0.1:{middle.port_there()}", "-n", "1")
    second = commands.start("triort-manager", "--join", f"127.0.0.1:{leaves[0].port_there()}", "-n", "1")
    wait_until(lambda: status(port)["num_workers"] == 4)
    check_job(port)
    first.end(signal.SIGKILL)
    wait_until(lambda: status(port)["num_workers"] == 3)
    second.end(signal.SIGTERM)
    wait_until(lambda: status(port)["num_workers"] == 2)
    check_job(port)
    assert server.end(signal.SIGTERM)[0] == 0


def test_a_manager_that_has_joined_comes_back_to_the_next_server(commands: Commands) -> None:
    server = commands.start("triort-server", "--join", "-p", "0")
    port = server.port()
    joiner = commands.start("triort-manager", "--join", f"127.0.0.1:{port}", "-n", "1")
    wait_until(lambda: status(port)["num_workers"] == 1)
    server.end(signal.SIGKILL)
    server = commands.start("triort-server", "--join", "-p", port)
    assert server.port() == port
    wait_until(lambda: status(port)["num_workers"] == 1)
    check_job(port)
    assert server.end(signal.SIGTERM) == (0, "", "")
    assert joiner.end()[0] == 0


def test_who_is_not_taken_says_why(commands: Commands) -> None:
    leaf = commands.start("triort-manager", "-p", "0", "-n", "1")
    other = commands.start("triort-server", "--join", "-p", "0", version="99.1")
    done = call("triort-manager", "--join", f"127.0.0.1:{other.port()}", "-n", "1", "-p", "0")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "refused the connection: triort version" in done.stderr
    done = call("triort-manager", "--join", f"127.0.0.1:{leaf.port()}", "-n", "1", "-p", "0")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "has no boss at present" in done.stderr


def test_wrong_words_are_told_in_one_line() -> None:
    for words in (("triort-server", "--join", "127.0.0.1:1"), ("triort-manager", "--join", "127.0.0.1:x")):
        done = call(*words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
