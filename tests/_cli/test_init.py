"""``triort init``: the files of a cluster, told to people and programs."""

import json
from pathlib import Path

import pytest

from tests._cli.commands import call

pytestmark = pytest.mark.processes


def test_it_makes_what_is_not_there_and_tells_what_is(tmp_path: Path) -> None:
    folder = str(tmp_path / "files")
    first = call("triort", "init", "--access", folder, "--address", "alpha", "--json")
    again = call("triort", "init", "--access", folder, "--json")
    assert (first.returncode, again.returncode, first.stderr, again.stderr) == (0, 0, "", "")
    made, found = json.loads(first.stdout), json.loads(again.stdout)
    assert (made["made"], found["made"]) == (True, False)
    assert made["address"] == "alpha:7472"
    assert made | {"made": False} == found
    assert sorted(path.name for path in (tmp_path / "files").iterdir()) == ["client.pem", "node.pem", "server.pem"]


def test_a_rotation_keeps_the_cluster(tmp_path: Path) -> None:
    folder = str(tmp_path / "files")
    first = json.loads(call("triort", "init", "--access", folder, "--days", "10", "--json").stdout)
    before = (tmp_path / "files" / "node.pem").read_text()
    done = call("triort", "init", "--access", folder, "--rotate")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"triort init: replaced the access files of cluster {first['cluster']} in {folder}, ")
    assert (tmp_path / "files" / "node.pem").read_text() != before


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["--rotate"], 1, "has no server.pem: not all files of a cluster are there"),
        (["--days", "0"], 2, "'0' is not a number of days"),
        (["--address", "a:b:c"], 2, "'a:b:c' is not an address"),
    ],
)
def test_what_does_not_work_is_told_in_one_line(tmp_path: Path, words: list[str], code: int, line: str) -> None:
    done = call("triort", "init", "--access", str(tmp_path / "files"), *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert line in done.stderr


def test_new_terms_for_files_that_are_there_need_a_rotation(tmp_path: Path) -> None:
    folder = str(tmp_path / "files")
    call("triort", "init", "--access", folder)
    done = call("triort", "init", "--access", folder, "--address", "beta")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--rotate replaces them" in done.stderr


@pytest.mark.parametrize("command", ["triort-server --join -p 0", "triort-manager -n 1 -p 0", "triort status"])
def test_files_that_others_may_read_are_refused_by_all_commands(tmp_path: Path, command: str) -> None:
    folder = tmp_path / "files"
    call("triort", "init", "--access", str(folder))
    folder.chmod(0o755)
    done = call(*command.split(), "--access", str(folder))
    assert (done.returncode, done.stdout) == (1, "")
    line = f"error: {folder} has mode 0755, so others may get at what is secret; use chmod 700 {folder}\n"
    assert done.stderr.endswith(line)
    assert done.stderr.count("\n") == 1
