"""The embedded cluster as a whole."""

import logging
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

import triort
from tests._client import jobs
from triort._model.limits import COMPANY_S
from triort._node.server import Server

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


async def test_each_call_of_a_client_is_a_checkpoint():
    """Also where the server answers within the call."""
    async with triort.open_cluster(1) as client:
        with trio.fail_after(60):
            await client.run(jobs.square, 1)
            kept = await client.submit(jobs.square, 1, detached=True)
            await kept.result()

            async def refused() -> None:
                with pytest.raises(triort.UsageError):
                    await client.attach(12_345)

            async def completed() -> None:
                assert [pair async for pair in client.as_completed(jobs.square, range(3))]

            calls = (
                partial(client.submit, jobs.square, 2), partial(client.attach, kept.id), refused, completed,
                partial(client.run, jobs.square, 2), partial(client.map, jobs.square, range(300)),
                partial(client.map, jobs.square, []), client.status,
            )  # fmt: skip
            for call in calls:
                await trio.sleep(2 * COMPANY_S)  # so that the server is at rest, and answers within the call
                with trio.testing.assert_checkpoints():
                    await call()


async def test_a_submit_in_a_scope_that_is_cancelled_is_cancelled():
    async with triort.open_cluster(1) as client:
        await client.run(jobs.square, 1)
        await trio.sleep(2 * COMPANY_S)
        with trio.move_on_after(0) as scope:
            await client.submit(jobs.square, 2)
        assert scope.cancelled_caught


def test_ctrl_c_in_the_midst_of_a_step_is_for_the_time_after_it(monkeypatch):
    """Who catches it can go on."""
    perform, is_armed = Server._perform, False

    def interrupted(self, sends):
        nonlocal is_armed
        if is_armed:
            is_armed = False
            os.kill(os.getpid(), signal.SIGINT)
        perform(self, sends)

    async def main():
        nonlocal is_armed
        async with triort.open_cluster(1) as client:
            with trio.fail_after(60):
                await client.run(jobs.square, 1)
                await trio.sleep(2 * COMPANY_S)
                is_armed = True
                with pytest.raises(KeyboardInterrupt):
                    await client.run(jobs.square, 2)
                return await client.run(jobs.async_square, 3)

    monkeypatch.setattr(Server, "_perform", interrupted)
    assert trio.run(main) == 9
