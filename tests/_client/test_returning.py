"""A client whose server ends and is started again on the same journal: its calls go on as if nothing had been."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

import triort
from tests._client import jobs
from tests._client.test_server_journal import serving
from triort._client import returning

pytestmark = pytest.mark.processes

BOUND_S = 40


class Stage:
    """A server that can be restarted, and a client of it."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.port = 0
        self.again = trio.Event()
        self.is_up = trio.Event()
        self.pause_s = 0.1
        self.journals = [path] * 10

    async def run(self) -> None:
        for path in self.journals:
            async with serving(path, 2, self.port) as address:
                self.port = int(address.split(":")[1])
                self.is_up.set()
                await self.again.wait()
                self.again = trio.Event()
            await trio.sleep(self.pause_s)

    def restart(self) -> None:
        self.again.set()


@asynccontextmanager
async def staged(path: Path | None) -> AsyncIterator[tuple[Stage, triort.Client]]:
    stage = Stage(path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.run)
        await stage.is_up.wait()
        with trio.fail_after(BOUND_S):
            async with triort.open_client(f"127.0.0.1:{stage.port}") as client:
                yield stage, client
        nursery.cancel_scope.cancel()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


async def test_each_kind_of_call_survives_restarts(path, tmp_path):
    mark = str(tmp_path / "go")
    results = {}
    async with staged(path) as (stage, client):

        async def run():
            results["run"] = await client.run(jobs.wait_for_file, mark)

        async def map_():
            results["map"] = await client.map(jobs.square_slowly, range(40))

        async def complete():
            results["completed"] = [pair async for pair in client.as_completed(jobs.square_slowly, range(40))]

        async def submit():
            job = await client.submit(jobs.square_slowly, 9)
            results["submit"] = await job.result()

        async def restart():
            for _ in range(3):
                await trio.sleep(0.4)
                stage.restart()
            await trio.sleep(0.4)
            Path(mark).touch()

        async with trio.open_nursery() as nursery:
            for call in (run, map_, complete, submit, restart):
                nursery.start_soon(call)
        assert (await client.status()).tasks == 0
    assert results["run"] == "found"
    assert results["map"] == [x * x for x in range(40)]
    assert sorted(results["completed"]) == [(x, x * x) for x in range(40)]
    assert results["submit"] == 81


async def test_a_call_that_is_made_while_there_is_no_server_waits_for_the_next(path):
    async with staged(path) as (stage, client):
        assert await client.run(jobs.square, 2) == 4
        stage.pause_s = 0.5
        stage.restart()
        await trio.sleep(0.2)
        assert client._session.is_away
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.status)
            job = await client.submit(jobs.square, 3, detached=True)
        assert await job.result() == 9
        assert await (await client.attach(job.id)).result() == 9


async def test_a_cancel_while_there_is_no_server_reaches_the_next(path):
    async with staged(path) as (stage, client):
        job = await client.submit(jobs.spin)
        stage.restart()
        await trio.sleep(0.05)
        await job.cancel()
        with pytest.raises(triort.TaskCancelled):
            await job.result()
        assert (await client.status()).tasks == 0


async def test_jobs_that_may_run_once_only_have_crashed_after_a_restart(path):
    async with staged(path) as (stage, client):
        job = await client.options(at_most_once=True).submit(jobs.spin)
        stage.restart()
        with pytest.raises(triort.TaskCrashed, match="the server has been restarted"):
            await job.result()


async def test_without_a_journal_all_is_lost_at_once():
    async with staged(None) as (stage, client):
        job = await client.submit(jobs.spin)
        stage.restart()
        with pytest.raises(triort.ConnectionLost, match="has closed the connection"):
            await job.result()


async def test_a_server_that_has_forgotten_its_journal_is_not_waited_for(path):
    async with staged(path) as (stage, client):
        job = await client.submit(jobs.spin)
        stage.journals[1] = None
        stage.restart()
        with pytest.raises(triort.ConnectionLost, match="has no journal"):
            await job.result()


async def test_a_journal_that_was_removed_loses_the_job(path):
    async with staged(path) as (stage, client):
        job = await client.submit(jobs.spin)
        stage.journals[1] = path.with_name("another")
        stage.restart()
        with pytest.raises(triort.ConnectionLost, match=f"there is no job {job.id} here"):
            await job.result()


async def test_a_server_that_does_not_come_back_is_waited_for_only_so_long(path, monkeypatch):
    monkeypatch.setattr(returning, "LEASE_S", 0.5)
    async with staged(path) as (stage, client):
        job = await client.submit(jobs.spin)
        stage.journals[:] = []
        stage.restart()
        with pytest.raises(triort.ConnectionLost, match=r"no server came back within 0\.5 s"):
            await job.result()


async def test_a_client_can_leave_while_there_is_no_server(path):
    async with staged(path) as (stage, client):
        await client.submit(jobs.spin)
        stage.pause_s = 20.0
        stage.restart()
        await trio.sleep(0.2)
