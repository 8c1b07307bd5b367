"""The embedded cluster as a whole."""

import logging
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio

import triort
from tests._client import jobs

pytestmark = pytest.mark.processes


async def test_a_client_that_blocks_the_loop_is_warned_once(caplog):
    async with triort.open_cluster(1) as client:
        with caplog.at_level(logging.WARNING), trio.fail_after(20):
            job = await client.submit(jobs.spin)
            for _ in range(2):
                time.sleep(0.3)  # noqa: ASYNC251 - what the warning is about
                await trio.sleep(0.06)
            await job.cancel()
    warnings = [record for record in caplog.records if "trio loop was blocked" in record.getMessage()]
    assert len(warnings) == 1


async def test_two_clusters_live_side_by_side():
    async with triort.open_cluster(1) as one, triort.open_cluster(1) as two:
        with trio.fail_after(20):
            assert await one.run(jobs.square, 2) == 4
            assert await two.run(jobs.square, 3) == 9


async def test_what_was_given_to_a_worker_behind_a_task_that_waits_for_something_outside_runs_elsewhere(tmp_path: Path):
    end = tmp_path / "end"
    async with triort.open_cluster(2) as client:
        with trio.fail_after(20):
            await client.map(jobs.wait_async_for_file, [""] * 200)  # it is known as a short one from now on
            job = await client.submit(jobs.wait_async_for_file, str(end))
            await client.map(jobs.wait_async_for_file, [""] * 400)
            end.touch()
            await job.result()


async def test_jobs_that_are_open_at_the_end_of_the_block_are_cancelled():
    async with triort.open_cluster(1) as client:
        job = await client.submit(jobs.spin)
    with pytest.raises(triort.ConnectionLost), trio.fail_after(5):
        await job.result()
    with pytest.raises(triort.ConnectionLost):
        await client.run(jobs.square, 1)


def test_ctrl_c_ends_a_run_and_all_of_its_processes(tmp_path: Path):
    mark = tmp_path / "started"
    call = f"triort.run(mark_then_spin, {str(mark)!r}, num_workers=2)"
    script = f"import triort\nfrom tests._client.jobs import mark_then_spin\n{call}"
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 20
        while not mark.exists():
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode != 0
    assert b"KeyboardInterrupt" in errors


def test_a_script_gets_the_result_of_a_function_of_its_own():
    script = (
        "import triort\n"
        "def double(x):\n    return 2 * x\n"
        "async def total(n):\n    return sum(await triort.get_runtime().map(double, range(n)))\n"
        "if __name__ == '__main__':\n    print(triort.run(total, 10, num_workers=2))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "90\n"


def test_importing_triort_loads_neither_rich_nor_cloudpickle():
    script = (
        "import sys, triort\nprint([name for name in ('rich', 'cloudpickle', 'cryptography') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "[]\n"
