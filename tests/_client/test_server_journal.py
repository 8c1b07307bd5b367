"""A server with a journal, in this loop: what it takes up when it is started again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.lowlevel

import triort
from tests._client import jobs
from triort._node import sqlite_journal

pytestmark = pytest.mark.processes

BOUND_S = 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@asynccontextmanager
async def serving(path: Path | None, num_workers: int = 1, port: int = 0) -> AsyncIterator[str]:
    """A server with a journal; gives its address."""
    server, listens = triort.Server(None, port, num_workers=num_workers, journal=path), trio.Event()
    server.on_listening = lambda node: listens.set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run)
        with trio.fail_after(BOUND_S):
            await listens.wait()
            yield f"127.0.0.1:{server.port}"
        nursery.cancel_scope.cancel()


async def test_outcomes_of_detached_jobs_are_there_after_a_restart(path):
    async with serving(path) as address, triort.open_client(address) as client:
        number = (await client.submit(jobs.square, 7, detached=True)).id
        failed = (await client.submit(jobs.fail, detached=True)).id
        for each in (number, failed):
            await trio.lowlevel.checkpoint()
            await (await client.attach(each))._when_ended().wait()
    for _ in range(2):
        async with serving(path) as address, triort.open_client(address) as client:
            assert await (await client.attach(number)).result() == 49
            with pytest.raises(jobs.Expected):
                await (await client.attach(failed)).result()


async def test_a_detached_job_that_was_running_runs_again(path, tmp_path):
    mark = tmp_path / "go"
    async with serving(path) as address, triort.open_client(address) as client:
        number = (await client.submit(jobs.wait_for_file, str(mark), detached=True)).id
    async with serving(path) as address, triort.open_client(address) as client:
        job = await client.attach(number)
        assert (await job.status()).state == "running"
        mark.touch()
        assert await job.result() == "found"
        await job.forget()


async def test_jobs_without_a_journal_error_and_with_one_have_the_same_results(path):
    async with serving(path, 2) as address, triort.open_client(address) as client:
        assert await client.map(jobs.square, range(100)) == [x * x for x in range(100)]
        assert sorted([value async for _, value in client.as_completed(jobs.square, range(5))]) == [0, 1, 4, 9, 16]
        with pytest.raises(jobs.Expected):
            await client.map(jobs.fail_at_three, range(20))
        with trio.move_on_after(0.3) as scope:
            await client.run(jobs.spin)
        assert scope.cancelled_caught
        with pytest.raises(triort.TaskTimeout):
            await client.options(timeout_s=0.2).run(jobs.spin)
        assert await client.options(at_most_once=True).map(jobs.square, range(3)) == [0, 1, 4]


async def test_a_second_server_on_the_same_journal_is_refused(path):
    async with serving(path):
        with pytest.raises(triort.StartupError, match="another server uses it"):
            await triort.Server(None, 0, num_workers=1, journal=path).run()


async def test_when_the_disk_is_full_new_jobs_are_refused_and_running_ones_end(path, tmp_path, monkeypatch, caplog):
    opened: list[Any] = []
    original = sqlite_journal.open_sqlite_journal

    async def observed(path):
        opened.append(await original(path))
        return opened[-1]

    monkeypatch.setattr(sqlite_journal, "open_sqlite_journal", observed)
    mark = tmp_path / "go"
    async with serving(path) as address, triort.open_client(address) as client:
        job = await client.submit(jobs.wait_for_file, str(mark))
        opened[0]._db.execute("pragma max_page_count=20")
        with pytest.raises(triort.JobRejected, match="database or disk is full"):
            await client.run(len, bytes(1_000_000))
        with pytest.raises(triort.JobRejected, match="the server's journal has failed"):
            await client.submit(jobs.square, 1)
        mark.touch()
        assert await job.result() == "found"
        assert (await client.status()).tasks == 0
    lines = [record.getMessage() for record in caplog.records if "journal" in record.getMessage()]
    assert lines == [f"server takes no more jobs: its journal has failed: {path}: database or disk is full"]
