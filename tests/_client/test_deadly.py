"""Tasks that end their workers: what is told of it, who is to blame, what is left behind. Real processes."""

import os
import signal
import time
from pathlib import Path

import pytest
import trio
import trio.testing

import triort
from tests._client import deadly, jobs
from tests._node.template_helpers import wait_dead, wait_until
from triort._model.limits import CRASH_LIMIT

pytestmark = pytest.mark.processes


@pytest.fixture
async def client():
    async with triort.open_cluster(2, memory_limit=200 * deadly.MIB) as client:
        with trio.fail_after(60):
            yield client
            assert await client.map(jobs.square, range(100)) == [i * i for i in range(100)]
            while (await client.status()).num_workers < 2:  # the last one that died may not be replaced yet
                await trio.sleep(0.01)
            status = await client.status()
            assert (status.tasks, status.num_workers) == (0, 2)


@pytest.mark.parametrize(
    ("end", "args", "how", "said"),
    [
        (deadly.abort, (), "signal 6 (SIGABRT)", "Fatal Python error: Aborted"),
        (deadly.segfault, (), "signal 11 (SIGSEGV)", "in segfault"),
        (deadly.exit_with, (3,), "exit code 3", ""),
        (deadly.kill_itself, (), "signal 9 (SIGKILL)", ""),
        (deadly.kill_itself, (signal.SIGTERM,), "signal 15 (SIGTERM)", ""),
        (deadly.speak_and_die, (), "signal 9 (SIGKILL)", "    about to end\n    from C code"),
    ],
    ids=["abort", "segfault", "exit", "kill", "term", "speak"],
)
async def test_a_crash_tells_what_happened(client, end, args, how, said):
    with pytest.raises(triort.TaskCrashed) as caught:
        await client.run(end, *args)
    text, crash = str(caught.value), caught.value.crash
    assert f"ended by {how} after {CRASH_LIMIT} attempts, using " in text
    assert said in text
    assert (crash.memory_bytes or 0) > deadly.MIB
    assert crash.worker.startswith("embedded.x")  # the last one was a worker of its own


async def test_a_task_that_kills_costs_its_parent_and_others_little(client, tmp_path):
    text, (good,) = await client.run(deadly.parent_of, str(tmp_path), "a")
    assert "kill_itself crashed" in text
    assert good > 0
    status = await client.status()
    assert len(list(tmp_path.iterdir())) == 1 + (status.blamed > CRASH_LIMIT)


@pytest.mark.parametrize("num_workers", [1, 2])
async def test_a_deadly_task_is_caught_by_its_parent_also_where_all_its_ancestors_share_its_worker(num_workers):
    async with triort.open_cluster(num_workers) as client:
        with trio.fail_after(30):
            assert await client.run(deadly.deadly_chain, 4) == 1
            assert (await client.status()).losses < 5 * CRASH_LIMIT


async def test_only_the_task_on_the_cpu_is_blamed(tmp_path):
    """One worker with a suspended parent, its child on the CPU, and tasks in its queue is killed from outside."""
    async with triort.open_cluster(1) as client:
        results: dict[str, object] = {}
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:

                async def start(name: str) -> None:
                    limited = client.options(crash_limit=1 if name == "b" else 3)
                    results[name] = await limited.run(deadly.waiting_parent, str(tmp_path), name, 1.0)

                nursery.start_soon(start, "a")
                await wait_until(lambda: any(path.name.startswith("child-a") for path in tmp_path.iterdir()))
                nursery.start_soon(start, "b")
                await trio.testing.wait_all_tasks_blocked()
                (pid,) = [int(path.name.split()[1]) for path in tmp_path.iterdir() if path.name.startswith("child-a")]
                os.kill(pid, signal.SIGKILL)
        assert results == {"a": "child-a", "b": "child-b"}
        status = await client.status()
        assert (status.blamed, status.losses) == (1, 1)
        assert {worker.state for worker in status.employees} <= {"", "for a suspect"}


async def test_an_async_task_that_waits_is_not_on_the_cpu_from_its_first_step_on(tmp_path):
    async with triort.open_cluster(1) as client:
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.options(crash_limit=1).run, deadly.nap_once, str(tmp_path))
                await wait_until(lambda: any(tmp_path.iterdir()))
                # The boss looks every 5 ms: right after the start it may not have looked yet.
                status, seen_off = await client.status(), 0
                while seen_off < 20:
                    await trio.sleep(0.01)
                    status = await client.status()
                    seen_off = 0 if status.employees[0].running else seen_off + 1
                os.kill(status.employees[0].pid, signal.SIGKILL)
        assert (await client.status()).blamed == 0


async def test_a_task_that_takes_too_much_memory_is_told_so_and_harms_nobody(client):
    crashes, results = [], []
    async with trio.open_nursery() as nursery:

        async def eat() -> None:
            with pytest.raises(triort.OutOfMemory) as caught:
                await client.run(deadly.eat, 1_000)
            crashes.append(caught.value)

        nursery.start_soon(eat)
        results += await client.map(deadly.hold_none, [0.05] * 20)
    assert len(results) == 20
    assert crashes[0].crash.attempts == 2
    assert 200 <= (crashes[0].crash.memory_bytes or 0) / deadly.MIB < 600
    assert "took too much memory" in str(crashes[0])
    status = await client.status()
    assert (status.blamed, status.losses) == (2, 2)


async def test_a_task_that_took_too_much_memory_once_is_run_again_alone(client, tmp_path):
    pid = await client.run(deadly.eat_once, str(tmp_path), 1_000)
    assert not any(worker.pid == pid for worker in (await client.status()).employees if not worker.state)


async def test_what_a_task_has_started_ends_with_its_worker(client, tmp_path):
    with pytest.raises(triort.TaskCrashed):
        await client.run(deadly.leave_processes, str(tmp_path))
    pids = [int(pid) for pid in Path(tmp_path, "pids").read_text().split()]
    assert len(pids) == 5 * CRASH_LIMIT
    await wait_dead(*pids)  # they were signalled before the loss was told, and take a moment


async def test_a_killed_template_costs_the_workers_and_not_the_node(client):
    before = {worker.pid for worker in (await client.status()).employees}
    (template,) = {parent_pid(pid) for pid in before}
    os.kill(template, signal.SIGKILL)
    started = time.monotonic()
    status = await client.status()
    while status.num_workers != 2 or before & {worker.pid for worker in status.employees}:
        await trio.sleep(0.02)
        assert time.monotonic() < started + 20
        status = await client.status()
    assert (await client.status()).blamed == 0
    await wait_dead(*before)


def parent_pid(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_the_status_tells_the_memory_of_workers(client):
    await client.map(deadly.hold_none, [0.3, 0.3])
    assert all(worker.memory_bytes > deadly.MIB for worker in (await client.status()).employees)


@pytest.mark.parametrize(("fn", "bound_s"), [(deadly.spin, 2.0), (deadly.block_in_c, 12.0)])
async def test_a_cancelled_task_that_does_not_yield_frees_its_worker(client, fn, bound_s):
    with trio.move_on_after(0.3):
        await client.run(fn)
    started = time.monotonic()
    assert await client.map(jobs.square, range(10)) == [i * i for i in range(10)]
    assert time.monotonic() < started + bound_s
    assert (await client.status()).losses == (0 if fn is deadly.spin else 1)
