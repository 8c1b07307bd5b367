"""What ``triort status`` says of a node, and how sizes of memory are written."""

import argparse

import pytest

from triort._cli.arguments import complain, memory_size
from triort._cli.run import main as run_main
from triort._cli.status import _as_lines, as_dict, describe
from triort._model.messages import NodeStatus


def test_a_node_tells_what_it_has_lost_and_a_worker_what_it_has_in_memory() -> None:
    worker = NodeStatus("m.x1", "worker", 7, 0, 0, 1, 0, "work", memory_bytes=300 << 20, state="for a suspect")
    node = NodeStatus("m", "manager", 5, 2, 1, 1, 0, restarts=1, employees=[worker], losses=3, blamed=2)
    assert describe(node) == "pid 5, 2 workers, 1 idle, 1 task, 1 restart, 3 lost (2 by a task)"
    assert describe(worker) == "pid 7, busy, 1 task, runs work, 300 MiB, for a suspect"
    told = as_dict(node)
    assert (told["restarts"], told["losses"], told["blamed"]) == (1, 3, 2)
    assert told["employees"][0]["memory_bytes"] == 300 << 20


def test_what_nodes_say_of_themselves_cannot_steer_a_terminal() -> None:
    bad = "\x1b]0;owned\x07\u202e" + "x" * 1_000_000
    node = NodeStatus(bad, bad, 5, 2, 1, 1, 0, bad, employees=[NodeStatus(bad, bad, 1, 0, 0, 0, 0)], state=bad)
    lines = list(_as_lines(node))
    assert len(lines) == 2
    assert all(line.isprintable() and len(line) < 1_000 for line in lines)


def test_what_is_complained_of_is_one_line_that_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    complain("triort drain", "it is \x1b[2J\nthere")
    assert capsys.readouterr().err == "triort drain: error: it is \\x1b[2J there\n"


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("123", 123), ("500M", 500 << 20), ("2G", 2 << 30), ("1.5GiB", 3 << 29), ("4kb", 4 << 10)],
)
def test_sizes_are_written_as_people_do(text: str, size: int) -> None:
    assert memory_size(text) == size


@pytest.mark.parametrize("text", ["", "-1", "2X", "M", "1e9"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a size"):
        memory_size(text)


def test_a_memory_limit_is_no_business_of_who_connects(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_main(["os:getpid", "--connect", "127.0.0.1", "--memory-limit", "1G"])
    assert "--memory-limit: with --connect" in capsys.readouterr().err
