"""How a pool ends: by shutdown, by its disappearance, by Ctrl-C, with the interpreter, in a fork."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import wait
from pathlib import Path

import pytest

import triort
from tests._client import pool_tasks

pytestmark = pytest.mark.processes
LONG_S = 60


def pool_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "triort pool"]


def run_script(script: str, *, code: int = 0) -> tuple[str, str]:
    """What a program says on stdout and stderr; its pool is ``pool``."""
    text = f"import os, sys, time, triort\nfrom tests._client import pool_tasks\n{script}"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=LONG_S)
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def interrupt_when_started(script: str, mark: Path) -> tuple[str, str, float]:
    """What a program says that gets a Ctrl-C once the mark is there, and how long it took to end."""
    text = f"import os, sys, time, triort\nfrom tests._client import pool_tasks\n{script}"
    with subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + LONG_S
        while not mark.exists():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        out, err = process.communicate(timeout=LONG_S)
    assert process.returncode in (-signal.SIGINT, 0)  # what comes at the exit is printed by Python, and no more
    return out, err, time.monotonic() - began


def test_leaving_the_block_waits_for_all_calls():
    with triort.Executor(2) as pool:
        futures = [pool.submit(pool_tasks.nap, 0.02) for _ in range(30)]
    assert all(future.done() for future in futures)
    assert pool_threads() == []
    pool.shutdown()


def test_a_pool_takes_no_calls_after_shutdown_used_or_not():
    used, unused = triort.Executor(1), triort.Executor(1)
    used.submit(pool_tasks.square, 1)
    for pool in (used, unused):
        pool.shutdown()
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            pool.submit(pool_tasks.square, 1)


def test_shutdown_without_waiting_lets_the_calls_end():
    pool = triort.Executor(2)
    results = pool.map(abs, range(-5, 5))
    began = time.monotonic()
    pool.shutdown(wait=False)
    assert time.monotonic() - began < 0.1
    assert list(results) == [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]
    pool.shutdown()
    assert pool_threads() == []


def test_shutdown_cancels_the_calls_that_have_not_started_if_asked():
    pool = triort.Executor(2)
    futures = [pool.submit(pool_tasks.nap, 0.05, 1) for _ in range(50)]
    futures[0].result()
    pool.shutdown(cancel_futures=True)
    cancelled = [future for future in futures if future.cancelled()]
    others = [future for future in futures if not future.cancelled()]
    assert len(cancelled) > 20
    assert [future.result(0) for future in others] == [1] * len(others)
    assert wait(futures, 0).not_done == set()


def test_a_pool_that_is_forgotten_finishes_its_work_and_ends():
    pool = triort.Executor(2)
    futures = [pool.submit(pool_tasks.nap, 0.02, i) for i in range(10)]
    (thread,) = pool_threads()
    del pool
    gc.collect()
    assert [future.result() for future in futures] == list(range(10))
    thread.join(LONG_S)
    assert not thread.is_alive()


def test_shutdown_in_a_callback_does_not_hang():
    pool = triort.Executor(1)
    pool.submit(pool_tasks.square, 1).add_done_callback(lambda _: pool.shutdown())
    pool.shutdown()
    assert pool_threads() == []


def test_a_call_that_is_cancelled_right_before_shutdown_does_not_hang_it():
    pool = triort.Executor(1)
    pool.submit(int).result()
    pool.submit(int).cancel()
    pool.shutdown(wait=True)


def test_a_call_that_was_cancelled_while_it_ran_has_ended_after_shutdown(tmp_path):
    pool = triort.Executor(1)
    future = pool.submit(pool_tasks.mark_then_spin, str(tmp_path / "mark"))
    while not (tmp_path / "mark").exists():
        time.sleep(0.005)
    future.cancel()
    pool.shutdown()
    assert pool_threads() == []


@pytest.mark.parametrize("how", ["", "pool.shutdown(wait=False)", "del pool"])
def test_the_interpreter_waits_for_open_calls_at_its_exit(how):
    script = f"pool = triort.Executor(2)\npool.submit(pool_tasks.nap, 0.3)\npool.submit(print, 'apple')\n{how}\n"
    assert run_script(script) == ("apple\n", "")


def test_calls_after_the_end_of_the_interpreter_has_begun_are_refused():
    script = (
        "import atexit\n"
        "def late():\n"
        "    for each in (pool, unused):\n"
        "        try: each.submit(id, None)\n"
        "        except RuntimeError as exc: print(exc)\n"
        "atexit.register(late)\n"
        "pool, unused = triort.Executor(1), triort.Executor(1)\n"
        "pool.submit(id, 1).result()\n"
    )
    out, err = run_script(script)
    assert err == ""
    assert out.splitlines() == [
        "cannot schedule new futures after shutdown",
        "cannot schedule new futures after interpreter shutdown",
    ]


def test_sys_exit_finishes_what_is_open_too():
    script = "pool = triort.Executor(1)\npool.submit(pool_tasks.nap, 0.2)\npool.submit(print, 'apple')\nsys.exit(3)\n"
    assert run_script(script, code=3) == ("apple\n", "")


@pytest.mark.parametrize(
    "script",
    [
        "with triort.Executor(1) as pool:\n    pool.submit(pool_tasks.mark_then_spin, {mark!r}).result()\n",
        "pool = triort.Executor(1)\npool.submit(pool_tasks.mark_then_spin, {mark!r}).result()\n",
        "pool = triort.Executor(1)\npool.submit(pool_tasks.mark_then_spin, {mark!r})\n",
        "with triort.Executor(1) as pool:\n    pool.submit(pool_tasks.mark_then_spin, {mark!r})\n",
    ],
)
def test_ctrl_c_cancels_what_is_open_and_leaves_no_process(script, tmp_path):
    mark = tmp_path / "mark"
    _, err, took_s = interrupt_when_started(script.format(mark=str(mark)), mark)
    assert "KeyboardInterrupt" in err
    assert took_s < 10


def test_a_fork_of_the_parent_is_refused_and_harms_nothing():
    script = (
        "import os\n"
        "pool, unused = triort.Executor(1), triort.Executor(1)\n"
        "future = pool.submit(pool_tasks.nap, 0.5, 7)\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    for ask in (lambda: pool.submit(id, 1), future.result):\n"
        "        try: ask()\n"
        "        except triort.BrokenPool as exc: print(exc, flush=True)\n"
        "    print(unused.submit(pool_tasks.square, 5).result(), flush=True)\n"
        "    sys.exit(0)\n"
        "print(os.waitpid(child, 0)[1], future.result(), pool.submit(pool_tasks.square, 3).result())\n"
    )
    out, err = run_script("import warnings\nwarnings.simplefilter('ignore')\n" + script)
    assert err == ""
    assert out.splitlines() == [
        "this pool belongs to the process that has forked this one; make another one here",
        "this future belongs to the process that has forked this one; ask it there",
        "25",
        "0 7 9",
    ]


def test_a_program_that_is_killed_leaves_no_worker(tmp_path):
    mark = tmp_path / "mark"
    script = (
        "import triort\nfrom tests._client import pool_tasks\n"
        f"pool = triort.Executor(2)\npool.submit(pool_tasks.mark_then_spin, {str(mark)!r}).result()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        deadline = time.monotonic() + LONG_S
        while not mark.exists():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
