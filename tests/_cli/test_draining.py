"""``triort drain``: managers and workers leave in order, and no task is lost."""

import signal
import time
from pathlib import Path

import pytest

from tests._cli.commands import Commands, call, status, wait_until
from tests._cli.test_tree import check_job
from triort._cli.drain import find_path
from triort._model.errors import TriortError
from triort._model.messages import NodeStatus

pytestmark = pytest.mark.processes


def drain(port: str, node: str) -> tuple[int, str, str]:
    done = call("triort", "drain", node, "--connect", f"127.0.0.1:{port}")
    return done.returncode, done.stdout, done.stderr


def test_an_idle_manager_leaves_and_is_not_dialled_again(commands: Commands) -> None:
    _, middle, leaves, port = commands.small_tree()
    name, path = f"m{leaves[0].port_there()}", f"m{middle.port_there()}/m{leaves[0].port_there()}"
    assert drain(port, name) == (0, f"triort drain: {path} has left\n", "")
    assert leaves[0].end()[0] == 0
    assert status(port)["num_workers"] == 1
    check_job(port)
    again = commands.start("triort-manager", "-p", leaves[0].port_there(), "-n", "1")
    again.port()
    time.sleep(1.0)
    assert status(port)["num_workers"] == 1
    code, _, err = drain(port, name)
    assert (code, err) == (1, f"triort drain: error: there is no node called {name!r} (see triort status)\n")


def test_a_manager_with_nested_work_leaves_in_the_middle_of_it(commands: Commands) -> None:
    _, middle, leaves, port = commands.small_tree()
    words = ("triort._cli.queens:search", "11", "(0,0,0)", "0", "--connect", f"127.0.0.1:{port}")
    job = commands.start("triort", "run", *words)
    wait_until(lambda: status(port)["done"] > 50)
    assert drain(port, f"m{leaves[0].port_there()}")[0] == 0
    assert leaves[0].end()[0] == 0
    code, out, err = job.end()
    assert (code, out[:6], err) == (0, "(2680,", "")
    assert middle.process.poll() is None


def test_a_worker_leaves_and_nobody_takes_its_place(commands: Commands) -> None:
    leaf = commands.start("triort-manager", "-p", "0", "-n", "2")
    server = commands.start("triort-server", f"127.0.0.1:{leaf.port()}", "-p", "0")
    port = server.port()
    worker = status(port)["employees"][0]["employees"][0]["name"]
    assert drain(port, worker)[0] == 0
    assert [each["name"] for each in status(port)["employees"][0]["employees"]] != [worker]
    assert status(port)["num_workers"] == 1
    check_job(port)
    assert leaf.process.poll() is None


def test_the_last_manager_leaves_and_jobs_wait(commands: Commands, tmp_path: Path) -> None:
    server = commands.start("triort-server", "--join", "-p", "0")
    port = server.port()
    first = commands.start("triort-manager", "--join", f"127.0.0.1:{port}", "-n", "1")
    wait_until(lambda: status(port)["num_workers"] == 1)
    sleeper = commands.start("triort", "run", "time:sleep", "1000", "--connect", f"127.0.0.1:{port}")
    wait_until(lambda: status(port)["idle_workers"] == 0)
    waiting = commands.start("triort", "run", "math:sqrt", "4", "--connect", f"127.0.0.1:{port}")
    name = status(port)["employees"][0]["name"]
    drainer = commands.start("triort", "drain", name, "--connect", f"127.0.0.1:{port}")
    wait_until(lambda: status(port)["employees"][0]["state"] == "draining")
    assert drainer.end(signal.SIGINT)[0] == 130
    assert sleeper.end(signal.SIGINT)[0] == 130
    first.end()
    wait_until(lambda: status(port)["backlog"] == 1)
    commands.start("triort-manager", "--join", f"127.0.0.1:{port}", "-n", "1")
    assert waiting.end() == (0, "2.0\n", "")


def test_the_server_itself_does_not_leave(commands: Commands) -> None:
    server = commands.start("triort-server", "--join", "-p", "0")
    port = server.port()
    code, out, err = drain(port, "server")
    assert (code, out) == (1, "")
    assert err == "triort drain: error: 'server' is the server: end it with Ctrl-C or SIGTERM\n"


def test_two_of_one_name_are_told_apart_by_their_paths() -> None:
    def node(name: str, *below: NodeStatus) -> NodeStatus:
        return NodeStatus(name, "manager", 1, 1, 1, 0, 0, employees=list(below))

    tree = node("server", node("a", node("x")), node("b", node("x"), node("y")))
    assert find_path(tree, "y") == "b/y"
    assert find_path(tree, "a") == "a"
    assert find_path(tree, "b/x") == "b/x"
    with pytest.raises(TriortError, match="2 nodes are called 'x'; name one by its path: a/x, b/x"):
        find_path(tree, "x")
