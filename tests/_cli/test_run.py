"""``triort run`` and ``triort demo``: results, failures and signals, on a cluster of the command's own."""

import json
import signal
from pathlib import Path

import pytest

from tests._cli.commands import Commands, call, wait_until

pytestmark = pytest.mark.processes

SOURCE = """
import sys
from dataclasses import dataclass

import beside
import triort

@dataclass
class Point:
    x: int
    y: "int"

class Odd(Exception):
    pass

def show(*args):
    return args

def move(point):
    return Point(point.x + 1, point.y)

def odd():
    raise Odd("on two\\nlines")

def say(text):
    print("said", text)
    return beside.shout(text)

async def nested(n):
    return await triort.get_runtime().map(move, [Point(i, 0) for i in range(n)])

if __name__ == "__main__":
    sys.exit("this was not to be run as a script")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "job.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "beside.py").write_text("def shout(text):\n    return text.upper()\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("job.py:show 1 -2 [3] 'four' five {'a':(6,)} -n 1", "(1, -2, [3], 'four', 'five', {'a': (6,)})"),
        ("-n 1 job.py:show a -v", "('a',)"),
        ("job.py:nested -n 2 2", "[Point(x=1, y=0), Point(x=2, y=0)]"),
        ("job.py:say hello -n 1", "said hello\n'HELLO'"),
        ("beside:shout ha -n 1 --json", '"HA"'),
        ("math:sqrt 9 -n 1 --json", "3.0"),
    ],
)
def test_a_result_is_printed(folder: Path, words: str, expected: str) -> None:
    done = call("triort", "run", *words.split(" "), cwd=folder)
    assert (done.returncode, done.stdout) == (0, f"{expected}\n"), done.stderr


def test_a_file_may_lie_anywhere(folder: Path) -> None:
    done = call("triort", "run", str(folder / "job.py:say"), "x", "-n", "1")
    assert (done.returncode, done.stdout) == (0, "said x\n'X'\n")


def test_a_failure_is_one_line_and_with_v_the_traceback_there(folder: Path) -> None:
    done = call("triort", "run", "job.py:odd", "-n", "1", cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "triort run: error: job.py:odd raised Odd: on two lines (-v shows where)\n"
    done = call("triort", "run", "job.py:odd", "-n", "1", "-v", cwd=folder)
    assert 'raise Odd("on two' in done.stderr


def test_a_worker_that_dies_is_one_line() -> None:
    done = call("triort", "run", "os:_exit", "3", "-n", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "crashed: worker" in done.stderr.splitlines()[-1]
    assert "exit code 3" in done.stderr.splitlines()[-1]


def test_a_result_that_is_no_json_is_one_line() -> None:
    done = call("triort", "run", "builtins:complex", "1", "2", "-n", "1", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr
        == "triort run: error: the result cannot be shown as JSON: Object of type complex is not JSON serializable\n"
    )


def test_a_file_that_cannot_be_loaded_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("x = 1\ny = x.z\n", encoding="utf-8")
    (tmp_path / "worse.py").write_text("def f(:\n", encoding="utf-8")
    done = call("triort", "run", "bad.py:f", cwd=tmp_path)
    assert done.returncode == 2
    assert "bad.py cannot be loaded: line 2 of" in done.stderr
    done = call("triort", "run", "worse.py:f", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "SyntaxError" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_cluster_and_then_the_command(
    commands: Commands, folder: Path, number: signal.Signals, code: int
) -> None:
    source = "import pathlib, time\n\ndef wait():\n    pathlib.Path('here').touch()\n    time.sleep(1000)\n"
    (folder / "long.py").write_text(source, encoding="utf-8")
    job = commands.start("triort", "run", "long.py:wait", "-n", "1", cwd=folder)
    wait_until((folder / "here").exists)
    assert job.end(number) == (code, "", "")


@pytest.mark.parametrize(("size", "solutions", "tasks"), [(8, 92, 190), (10, 724, 446)])
def test_the_demo_finds_the_right_answer(size: int, solutions: int, tasks: int) -> None:
    done = call("triort", "demo", "-n", "2", "--size", str(size), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    figures = json.loads(done.stdout)
    assert [figures[key] for key in ("queens", "solutions", "expected", "tasks", "workers")] == [
        size,
        solutions,
        solutions,
        tasks,
        2,
    ]
    assert figures["speed_up"] == pytest.approx(figures["serial_seconds"] / figures["seconds"], rel=0.5)


def test_the_demo_tells_people_in_words() -> None:
    done = call("triort", "demo", "-n", "1", "--size", "8")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("8 queens can stand on a board of 8 x 8 in 92 ways.\n190 tasks in three levels took ")
