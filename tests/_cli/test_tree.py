"""Server, managers of managers and workers as real processes: the same job, the same end, whoever ends it."""

import json
import os
import pickle
import signal
import socket
from typing import Any

import pytest

from tests._cli.commands import BOUND_S, Command, Commands, call, status, wait_until
from triort._version import __version__

pytestmark = pytest.mark.processes

GARBAGE = {
    "random bytes": bytes(range(256)) * 400,
    "a pickle": pickle.dumps({"a": [1, 2, 3]}, 5),
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "nothing": b"",
}


def throw_garbage(port: str) -> None:
    """Connect, send something, hang up; several at once, one of which stays silent."""
    for garbage in GARBAGE.values():
        with socket.create_connection(("127.0.0.1", int(port)), timeout=BOUND_S) as sock:
            try:
                sock.sendall(garbage)
            except OSError:  # thrown out before all was said
                pass


def shape(node: dict[str, Any]) -> Any:
    return (node["kind"], node["num_workers"], [shape(employee) for employee in node["employees"]])


WORKER: Any = ("worker", 1, [])
SMALL_TREE = ("server", 2, [("manager", 2, [("manager", 1, [WORKER]), ("manager", 1, [WORKER])])])


def check_job(port: str) -> None:
    done = call(
        "triort", "run", "triort._cli.queens:search", "8", "(0,0,0)", "0", "--connect", f"127.0.0.1:{port}", "--json"
    )
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, [92, 191], "")


def test_a_job_runs_over_three_levels_and_sigterm_ends_them_all(commands: Commands) -> None:
    server, middle, leaves, port = commands.small_tree()
    check_job(port)
    wait_until(lambda: status(port)["idle_workers"] == 2 and status(port)["done"] == 191)
    tree = status(port)
    assert shape(tree) == SMALL_TREE
    assert tree["pid"] == server.process.pid
    assert tree["employees"][0]["pid"] == middle.process.pid
    shown = call("triort", "status", "--connect", f"127.0.0.1:{port}").stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["server", "manager", "manager", "worker", "manager", "worker"]
    assert shown[0].startswith(f"server server: pid {server.process.pid}, 2 workers, 2 idle, 0 tasks, 191 done (")
    assert server.end(signal.SIGTERM) == (0, "", "")
    assert [command.end() for command in (middle, *leaves)] == [(0, "", "")] * 3


def test_ready_lines_name_address_and_workers(commands: Commands) -> None:
    manager = commands.start("triort-manager", "-p", "0", "-n", "2")
    line = manager.line()
    port = line.split(":")[2].split(",")[0]
    assert line == f"triort-manager m{port}: listening for its boss on 127.0.0.1:{port}, will start 2 workers\n"
    server = commands.start("triort-server", f"127.0.0.1:{port}", "-p", "0")
    line = server.line()
    assert line.startswith("triort-server: listening for clients on 127.0.0.1:")
    assert line.endswith(", with 2 workers below 1 manager\n")


def test_ctrl_c_ends_all_in_order(commands: Commands) -> None:
    server, middle, leaves, _ = commands.small_tree()
    for command in (server, middle, *leaves):
        command.signal(signal.SIGINT)
    ends = [command.end() for command in (server, middle, *leaves)]
    assert {(code, out) for code, out, _ in ends} <= {(0, ""), (1, "")}
    assert not any("Traceback" in err for _, _, err in ends)


def pids(port: str) -> set[int]:
    """The processes of all workers."""
    found: set[int] = set()
    left = [status(port)]
    while left:
        node = left.pop()
        left += node["employees"]
        if node["kind"] == "worker":
            found.add(node["pid"])
    return found


def test_managers_outlive_their_server_and_serve_the_next_one_with_fresh_workers(commands: Commands) -> None:
    commands.are_hasty = True
    server, middle, leaves, port = commands.small_tree()
    check_job(port)
    old = pids(port)
    server.end(signal.SIGKILL)
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in old))
    second = commands.start("triort-server", f"127.0.0.1:{middle.port_there()}", "-p", "0")
    port = second.port()
    check_job(port)
    assert shape(status(port)) == SMALL_TREE
    assert not pids(port) & old
    assert second.end(signal.SIGTERM) == (0, "", "")
    code, out, err = middle.end()
    assert (code, out) == (0, "")
    assert err.endswith("the boss is gone; all work below ends, and the next boss is waited for\n")
    assert [leaf.end()[0] for leaf in leaves] == [0, 0]


def test_a_manager_that_is_killed_and_started_again_is_dialled_again(commands: Commands) -> None:
    _, middle, leaves, port = commands.small_tree()
    old = pids(port)
    middle.end(signal.SIGKILL)
    wait_until(lambda: status(port)["num_workers"] == 0)
    below = ",".join(f"127.0.0.1:{leaf.port_there()}" for leaf in leaves)
    middle_port = middle.port_there()
    commands.start("triort-manager", "-p", middle_port, "-m", below).port()
    wait_until(lambda: status(port)["num_workers"] == 2)
    assert shape(status(port)) == SMALL_TREE
    assert not pids(port) & old
    check_job(port)


def test_when_a_leaf_is_killed_its_workers_end_and_the_others_go_on(commands: Commands) -> None:
    _, _, leaves, port = commands.small_tree()
    leaves[0].end(signal.SIGKILL)
    wait_until(lambda: status(port)["num_workers"] == 1)
    check_job(port)


def test_jobs_wait_for_a_manager_when_there_is_none(commands: Commands) -> None:
    server, middle, leaves, port = commands.small_tree()
    for leaf in leaves:
        leaf.end(signal.SIGKILL)
    wait_until(lambda: status(port)["num_workers"] == 0)
    job = commands.start("triort", "run", "math:sqrt", "4", "--connect", f"127.0.0.1:{port}")
    wait_until(lambda: status(port)["backlog"] == 1)
    commands.start("triort-manager", "-p", leaves[0].port_there(), "-n", "1").port()
    assert job.end() == (0, "2.0\n", "")
    assert server.end(signal.SIGTERM) == (0, "", "")
    code, _, err = middle.end()
    assert code == 0
    assert "has lost all of its managers; what waits here waits for one to come\n" in err


def test_nodes_that_only_route_unpickle_nothing_and_import_no_cloudpickle(commands: Commands) -> None:
    server, middle, leaves, port = commands.small_tree(version="")
    check_job(port)
    assert server.end(signal.SIGTERM) == (0, "imported:\n", "")
    assert middle.end() == (0, "imported:\n", "")
    assert [leaf.end()[:2] for leaf in leaves] == [(0, "imported:\n")] * 2


def test_garbage_harms_no_port(commands: Commands) -> None:
    leaf = commands.start("triort-manager", "-p", "0", "-n", "1")
    leaf_port = leaf.port()
    throw_garbage(leaf_port)
    middle = commands.start("triort-manager", "-p", "0", "-m", f"127.0.0.1:{leaf_port}")
    middle_port = middle.port()
    throw_garbage(middle_port)
    server = commands.start("triort-server", f"127.0.0.1:{middle_port}", "-p", "0")
    port = server.port()
    with socket.create_connection(("127.0.0.1", int(port))):
        throw_garbage(port)
        check_job(port)
    code, out, err = server.end(signal.SIGTERM)
    assert (code, out) == (0, "")
    assert len(err.splitlines()) == 1 + len(GARBAGE)
    assert err.isascii()
    for command in (middle, leaf):
        assert command.end()[:2] == (0, "")


def refusals(boss: Command, employee: Command, words: list[str]) -> None:
    code, _, err = boss.end()
    assert code == 1
    assert err.count("\n") == 1
    assert all(word in err for word in words), err
    code, _, err = employee.end(signal.SIGTERM)
    assert code == 0
    assert err.count("\n") == 1
    assert all(word in err for word in words), err


def test_versions_that_differ_are_refused_on_both_sides_with_both_values(commands: Commands) -> None:
    manager = commands.start("triort-manager", "-p", "0", "-n", "1")
    server = commands.start("triort-server", f"127.0.0.1:{manager.port()}", "-p", "0", version="99.1")
    refusals(server, manager, ["triort version", "'99.1'", f"{__version__!r}"])


def test_a_job_that_is_cancelled_by_ctrl_c_ends_before_the_command_does(commands: Commands) -> None:
    *_, port = commands.small_tree()
    job = commands.start("triort", "run", "time:sleep", "1000", "--connect", f"127.0.0.1:{port}")
    wait_until(lambda: status(port)["idle_workers"] == 1)
    assert job.end(signal.SIGINT) == (130, "", "")
    wait_until(lambda: (status(port)["idle_workers"], status(port)["tasks"]) == (2, 0))


def test_a_wedged_worker_is_killed_with_its_manager(commands: Commands) -> None:
    server, middle, leaves, port = commands.small_tree()
    commands.start("triort", "run", "time:sleep", "1000", "--connect", f"127.0.0.1:{port}")
    wait_until(lambda: status(port)["idle_workers"] == 1)
    workers = [leaf["employees"][0]["pid"] for leaf in status(port)["employees"][0]["employees"]]
    assert server.end(signal.SIGTERM)[0] == 0
    assert [command.end()[0] for command in (middle, *leaves)] == [0, 0, 0]
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers))
