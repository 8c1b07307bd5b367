"""What breaks a pool, what does not, and what it refuses."""

import concurrent.futures
import itertools
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import psutil
import pytest

import triort
from tests._client import pool_tasks

pytestmark = pytest.mark.processes
LONG_S = 60


class ServerProcess:
    """A server with two workers."""

    def __init__(self, *workers: str) -> None:
        command = [sys.executable, "-c", _SERVER]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()

    def end(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.communicate(timeout=LONG_S)


_SERVER = """
import sys, trio, triort
server = triort.Server(None, 0, num_workers=2)
server.on_listening = lambda server: print(f"127.0.0.1:{server.port}", flush=True)
trio.run(server.run)
"""


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    server = ServerProcess()
    yield server
    server.end(signal.SIGKILL)


# -- a running server ------------------------------------------------------------------------------------------------


def test_a_pool_runs_on_a_server_and_leaves_it_running(server):
    for _ in range(2):
        with triort.Executor(address=server.address) as pool:
            assert list(pool.map(pool_tasks.square, range(10))) == [x * x for x in range(10)]
            assert pool._max_workers == 2
            assert pool.submit(pool_tasks.use_given, pool, 4).result(LONG_S) == 14
            assert pool.submit(pool_tasks.in_a_task, pool_tasks.nested_map).result(LONG_S) == [0, 1, 4, 9, 16] * 2
    assert server.process.poll() is None


def test_with_an_address_max_workers_bounds_the_calls_there(server, tmp_path):
    with triort.Executor(1, address=server.address) as pool:
        futures = [pool.submit(pool_tasks.nap, 0.05, i) for i in range(4)]
        while not all(future.done() for future in futures):
            assert sum(future.running() for future in futures) <= 1
            time.sleep(0.002)


def test_a_server_that_goes_breaks_the_pool(server):
    pool = triort.Executor(address=server.address)
    futures = [pool.submit(pool_tasks.nap, 60) for _ in range(20)]
    while not futures[0].running():
        time.sleep(0.005)
    os.kill(server.process.pid, signal.SIGKILL)
    for future in futures:
        with pytest.raises(triort.BrokenPool, match="the cluster of this pool is gone"):
            future.result(LONG_S)
    with pytest.raises(BrokenExecutor, match="the cluster of this pool is gone"):
        pool.submit(pool_tasks.square, 1)
    pool.shutdown()


def test_an_address_where_no_server_is_gives_one_clear_line():
    with pytest.raises(triort.StartupError, match=r"127\.0\.0\.1:9") as caught:
        triort.Executor(address="127.0.0.1:9")
    assert "\n" not in str(caught.value)


# -- what breaks -----------------------------------------------------------------------------------------------------


def test_an_initializer_is_called_once_in_each_worker_before_its_first_call():
    with triort.Executor(2, initializer=pool_tasks.set_state, initargs=("ready",)) as pool:
        states = list(pool.map(pool_tasks.get_state, range(20)))
        states += pool.map(pool_tasks.get_state, range(20), chunksize=5)
        value: Any = pool.submit(pool_tasks.async_square, 3).result()
        assert value == 9
        assert pool.submit(pool_tasks.in_a_task, pool_tasks.nested_map).result() == [0, 1, 4, 9, 16] * 2
    assert set(states) == {("ready", 1)}


def test_a_large_initializer_travels_once_and_not_with_each_call():
    big = bytes(3_000_000)
    with triort.Executor(2, initializer=pool_tasks.set_state, initargs=(big,)) as pool:
        began = time.monotonic()
        assert set(pool.map(pool_tasks.get_size, range(300))) == {(len(big), 1)}
        took_s = time.monotonic() - began
        assert pool.submit(pool_tasks.in_a_task, pool_tasks.nested_map).result(LONG_S) == [0, 1, 4, 9, 16] * 2
    assert took_s < 30
    assert [each for each in os.listdir("/proc/self/fd") if "triort-setup" in _target(each)] == []


def _target(descriptor: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except FileNotFoundError:
        return ""


def test_an_initializer_that_fails_breaks_the_pool(caplog):
    pool = triort.Executor(2, initializer=pool_tasks.fail_in_initializer)
    with caplog.at_level(logging.CRITICAL, "concurrent.futures"):
        futures = [pool.submit(pool_tasks.square, i) for i in range(20)]
        for future in futures:
            with pytest.raises(BrokenProcessPool, match="the initializer has failed: ValueError: not today"):
                future.result(LONG_S)
        with pytest.raises(triort.BrokenPool, match="the initializer has failed"):
            pool.submit(pool_tasks.square, 1)
        pool.shutdown()
    assert "Exception in initializer:" in caplog.messages
    assert "ValueError: not today" in caplog.text


def test_a_call_that_kills_its_worker_fails_alone():
    with triort.Executor(2) as pool:
        bad, good = pool.submit(pool_tasks.die), pool.submit(pool_tasks.nap, 0.1, 7)
        with pytest.raises(triort.TaskCrashed, match="signal 9") as caught:
            bad.result(LONG_S)
        assert isinstance(caught.value, BrokenProcessPool)
        assert good.result(LONG_S) == 7
        assert list(pool.map(pool_tasks.square, range(4))) == [0, 1, 4, 9]


def test_a_worker_that_is_killed_costs_no_call():
    with triort.Executor(2) as pool:
        pid = pool.submit(pool_tasks.pid).result(LONG_S)
        futures = [pool.submit(pool_tasks.nap, 0.02, i) for i in range(30)]
        os.kill(pid, signal.SIGKILL)
        assert [future.result(LONG_S) for future in futures] == list(range(30))


def test_a_cluster_that_cannot_start_breaks_the_pool_with_the_reason(monkeypatch):
    monkeypatch.setattr(sys, "executable", "")
    pool = triort.Executor(1)
    with pytest.raises(triort.BrokenPool, match="workers can be spawned on Linux only"):
        pool.submit(pool_tasks.square, 1).result(LONG_S)
    with pytest.raises(triort.BrokenPool):
        pool.submit(pool_tasks.square, 1)
    pool.shutdown()


def test_workers_are_replaced_after_so_many_calls():
    with triort.Executor(1, max_tasks_per_child=3) as pool:
        pids = [pool.submit(pool_tasks.pid).result(LONG_S) for _ in range(7)]
    assert [pids.index(pid) for pid in pids] == [0, 0, 0, 3, 3, 3, 6]
    with triort.Executor(2, max_tasks_per_child=1) as pool:
        assert len(set(pool.map(pool_tasks.pid, range(12)))) == 12
        assert pool.submit(pool_tasks.go_down, pool, 4).result(LONG_S) == 31


def test_a_worker_that_is_to_be_replaced_does_its_calls_one_after_the_other():
    with triort.Executor(1, max_tasks_per_child=2) as pool:
        futures = [pool.submit(pool_tasks.span, 0.02) for _ in range(10)]
        spans = sorted(future.result(LONG_S) for future in futures)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


def test_workers_that_are_to_be_replaced_may_die_and_go_with_the_pool():
    with triort.Executor(2, max_tasks_per_child=2) as pool:
        with pytest.raises(triort.TaskCrashed):
            pool.submit(pool_tasks.die).result(LONG_S)
        assert list(pool.map(pool_tasks.square, range(8))) == [x * x for x in range(8)]
    assert [child for child in psutil.Process().children(recursive=True) if "template" in str(child.cmdline())] == []


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"max_workers": 0}, ValueError, "max_workers must be greater than 0, not 0"),
        ({"max_workers": -1}, ValueError, "max_workers must be greater than 0, not -1"),
        ({"max_workers": "4"}, TypeError, "max_workers must be an integer, not '4'"),
        ({"max_workers": True}, TypeError, "max_workers must be an integer, not True"),
        ({"mp_context": multiprocessing.get_context("fork")}, ValueError, "never forked from this process"),
        ({"mp_context": "spawn"}, TypeError, "mp_context must be a context of multiprocessing, not 'spawn'"),
        ({"initializer": 3}, TypeError, "initializer must be a callable, not 3"),
        ({"initializer": print, "initargs": 3}, TypeError, "initargs must be a tuple, not 3"),
        ({"max_tasks_per_child": 0}, ValueError, "max_tasks_per_child must be >= 1, not 0"),
        ({"max_tasks_per_child": 1.5}, TypeError, "max_tasks_per_child must be an integer, not 1.5"),
        ({"max_tasks_per_child": 1, "address": "localhost"}, triort.UsageError, "leave it out with an address"),
        ({"address": 7472}, TypeError, "address must be a str like 'HOST:PORT', not 7472"),
        ({"address": "here:there"}, triort.UsageError, "'there' in 'here:there' is not a port"),
        ({"access": "file"}, triort.UsageError, "access is for a running server; name its address"),
        ({"address": "h:1", "access": 3}, TypeError, "access must be the path of an access file, not 3"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_in_one_line(
    arguments: dict[str, Any], kind: type[Exception], said: str
):
    with pytest.raises(kind, match=said) as caught:
        triort.Executor(**arguments)
    assert isinstance(caught.value, triort.UsageError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"chunksize": 0}, ValueError, "chunksize must be >= 1, not 0"),
        ({"chunksize": "1"}, TypeError, "chunksize must be an integer, not '1'"),
        ({"buffersize": 0}, ValueError, "buffersize must be None or > 0, not 0"),
        ({"buffersize": 1.0}, TypeError, "buffersize must be an integer, not 1.0"),
    ],
)
def test_a_map_refuses_what_makes_no_sense(arguments: dict[str, Any], kind: type[Exception], said: str):
    with triort.Executor(1) as pool, pytest.raises(kind, match=said):
        pool.map(abs, [1], **arguments)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_context_that_starts_afresh_is_what_is_done_anyway(method):
    with triort.Executor(1, multiprocessing.get_context(method), pool_tasks.set_state, ("x",)) as pool:
        assert pool.submit(pool_tasks.get_state).result() == ("x", 1)


def test_what_is_no_function_is_told_by_the_future():
    with triort.Executor(1) as pool, pytest.raises(triort.UsageError, match="a task needs a function, not 3"):
        pool.submit(3).result(LONG_S)  # type: ignore[arg-type]


def test_a_broken_pool_is_broken_for_both_worlds():
    assert issubclass(triort.BrokenPool, concurrent.futures.process.BrokenProcessPool)
    assert issubclass(triort.BrokenPool, triort.TriortError)
