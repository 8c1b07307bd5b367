"""``triort-manager -x`` with ``triort-worker``: workers that connect by themselves, end to end."""

import os
import re
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests._cli.commands import Command, Commands, call, status, wait_until
from tests._cli.test_tree import check_job, throw_garbage

pytestmark = pytest.mark.processes


class Cluster:
    """A manager that waits for its workers, the command that starts them, a server."""

    def __init__(self, commands: Commands, num_workers: int, *words: str, cwd: Path | None = None) -> None:
        self.manager = commands.start("triort-manager", "-p", "0", "-w", "0", "-x", "-n", str(num_workers))
        line = self.manager.line()
        found = re.search(r"on 127\.0\.0\.1:(\d+), will wait for .* on 127\.0\.0\.1:(\d+)$", line)
        assert found, line
        self.manager_port, self.worker_port = found[1], found[2]
        start = ("triort-worker", str(num_workers), "-p", self.worker_port, *words)
        self.workers = commands.start(*start, cwd=cwd) if cwd else commands.start(*start)
        assert self.workers.line().startswith("triort-worker: ")
        self.server = commands.start("triort-server", f"127.0.0.1:{found[1]}", "-p", "0")
        self.port = self.server.port()

    def worker_nodes(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = status(self.port)["employees"][0]["employees"]
        return found

    def folder(self) -> Path:
        with socket.create_connection(("127.0.0.1", int(self.worker_port))) as sock:
            said = sock.makefile().read()
        assert said.endswith("/workers\n")
        return Path(said.strip()).parent


def ends(*commands: Command) -> list[int]:
    return [command.end()[0] for command in commands]


def test_workers_connect_by_themselves_and_run_jobs(commands: Commands, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import os\n\ndef where():\n    return os.getcwd()\n", encoding="utf-8")
    cluster = Cluster(commands, 2, cwd=tmp_path)
    check_job(cluster.port)
    assert len(cluster.worker_nodes()) == 2
    run = call("triort", "run", "mine:where", "--connect", f"127.0.0.1:{cluster.port}", cwd=tmp_path)
    assert (run.returncode, run.stdout) == (0, f"{str(tmp_path)!r}\n")
    folder = cluster.folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert cluster.server.end(signal.SIGTERM) == (0, "", "")
    assert ends(cluster.manager, cluster.workers) == [0, 0]
    assert not folder.exists()


def test_workers_are_pinned_and_limit_blas(commands: Commands, tmp_path: Path) -> None:
    cpu = min(os.sched_getaffinity(0))
    cluster = Cluster(commands, 1, "-c", str(cpu), "-t", "3")
    (tmp_path / "job.py").write_text(
        "import os\n\ndef show():\n    return sorted(os.sched_getaffinity(0)), os.environ['OMP_NUM_THREADS']\n",
        encoding="utf-8",
    )
    run = call("triort", "run", f"{tmp_path}/job.py:show", "--connect", f"127.0.0.1:{cluster.port}")
    assert run.stdout == f"([{cpu}], '3')\n", run.stderr


def test_a_worker_that_dies_is_replaced_and_its_job_goes_on(commands: Commands) -> None:
    cluster = Cluster(commands, 2)
    before = {node["pid"] for node in cluster.worker_nodes()}
    os.kill(min(before), signal.SIGKILL)

    def is_replaced() -> bool:
        pids = {node["pid"] for node in cluster.worker_nodes()}
        return len(pids) == 2 and min(before) not in pids

    wait_until(is_replaced)
    check_job(cluster.port)


def test_a_task_that_kills_its_worker_is_blamed(commands: Commands) -> None:
    cluster = Cluster(commands, 1)
    run = call("triort", "run", "os:abort", "--connect", f"127.0.0.1:{cluster.port}")
    assert run.returncode == 1
    assert "task abort crashed: worker" in run.stderr
    check_job(cluster.port)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_manager(commands: Commands, number: signal.Signals) -> None:
    cluster = Cluster(commands, 2)
    folder = cluster.folder()
    job = commands.start("triort", "run", "time:sleep", "1000", "--connect", f"127.0.0.1:{cluster.port}")
    wait_until(lambda: status(cluster.port)["idle_workers"] == 1)
    start = time.monotonic()
    cluster.manager.end(number)
    code, out, err = cluster.workers.end()
    assert (code, out) == (0, "")
    assert err == "", err
    assert time.monotonic() - start < 10
    assert not folder.exists()
    assert cluster.server.end(signal.SIGTERM)[0] == 0
    assert ends(job) == [1]


def test_workers_come_back_to_a_manager_that_has_another_boss(commands: Commands) -> None:
    """More of them than may die in a minute."""
    commands.are_hasty = True
    cluster = Cluster(commands, 20)
    before = {node["pid"] for node in cluster.worker_nodes()}
    cluster.server.end(signal.SIGKILL)
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in before))
    server = commands.start("triort-server", f"127.0.0.1:{cluster.manager_port}", "-p", "0")
    cluster.port = server.port()
    after = {node["pid"] for node in cluster.worker_nodes()}
    assert len(after) == 20
    assert not before & after
    check_job(cluster.port)
    assert server.end(signal.SIGTERM) == (0, "", "")
    assert ends(cluster.manager) == [0]
    assert cluster.workers.end() == (0, "", "")


def test_a_manager_outlives_its_workers_and_takes_new_ones(commands: Commands) -> None:
    cluster = Cluster(commands, 1)
    assert cluster.workers.end(signal.SIGTERM) == (0, "", "")
    wait_until(lambda: cluster.worker_nodes() == [])
    commands.start("triort-worker", "1", "-p", cluster.worker_port)
    wait_until(lambda: len(cluster.worker_nodes()) == 1)
    check_job(cluster.port)


def test_garbage_on_the_worker_port_harms_nothing(commands: Commands) -> None:
    cluster = Cluster(commands, 1)
    throw_garbage(cluster.worker_port)
    path = str(cluster.folder() / "workers")
    for garbage in (b"", b"GET / HTTP/1.0\r\n\r\n", bytes(range(256))):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            sock.sendall(garbage)
    check_job(cluster.port)


def test_workers_of_another_version_are_refused_on_both_sides(commands: Commands) -> None:
    manager = commands.start("triort-manager", "-p", "0", "-w", "0", "-x", "-n", "1", version="99.1")
    found = re.search(r"on 127\.0\.0\.1:(\d+), will wait for .* on 127\.0\.0\.1:(\d+)$", manager.line())
    assert found
    workers = commands.start("triort-worker", "1", "-p", found[2])
    commands.start("triort-server", f"127.0.0.1:{found[1]}", "-p", "0", version="99.1")
    code, _, err = workers.end()
    assert (code, err.count("\n")) == (1, 1)
    assert "'99.1'" in err
    assert "does not take these workers" in err
    code, _, err = manager.end(signal.SIGTERM)
    assert "a worker was not let in" in err
    assert "'99.1'" in err


def test_a_port_of_something_else_is_told_in_one_line(commands: Commands) -> None:
    manager = commands.start("triort-manager", "-p", "0", "-n", "1")
    with socket.create_server(("127.0.0.1", 0)) as other:
        workers = commands.start("triort-worker", "1", "-p", str(other.getsockname()[1]))
        conn, _ = other.accept()
        with conn:
            conn.sendall(b"220 mail.example.org\r\n")
        code, out, err = workers.end()
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "there is no manager that waits for workers (triort-manager -x)" in err
    assert manager.port()
