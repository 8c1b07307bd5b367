"""Detached jobs, from the side of their clients."""

from typing import Any

import pytest
import trio

import triort
from tests._client import jobs

pytestmark = pytest.mark.processes

BOUND_S = 30


@pytest.fixture
async def port():
    """A server with two workers, in this loop."""
    server, listens = triort.Server(None, 0, num_workers=2), trio.Event()
    server.on_listening = lambda node: listens.set()
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        await listens.wait()
        with trio.fail_after(BOUND_S):
            yield server.port
        nursery.cancel_scope.cancel()


def client_of(port: int) -> Any:
    return triort.open_client(f"127.0.0.1:{port}")


async def test_a_job_outlives_its_client_and_another_one_gets_its_value(port):
    async with client_of(port) as client:
        job = await client.submit(jobs.square, 12, detached=True)
        number = job.id
    for _ in range(2):
        async with client_of(port) as client:
            found = await client.attach(number)
            assert (await found.result(), found.id) == (144, number)
            assert await found.status() == triort.JobStatus("done", 1, 1)


async def test_two_clients_and_one_twice_attach_to_a_running_job(port, tmp_path):
    mark = tmp_path / "go"
    async with client_of(port) as one, client_of(port) as two:
        number = (await one.submit(jobs.wait_for_file, str(mark), detached=True)).id
        handles = [await client.attach(number) for client in (one, two, two)]
        assert [(await each.status()).state for each in handles] == ["running"] * 3
        mark.touch()
        assert [await each.result() for each in handles] == ["found"] * 3


async def test_an_attached_job_is_cancelled_by_any_of_its_clients(port):
    async with client_of(port) as one, client_of(port) as two:
        job = await one.submit(jobs.spin, detached=True)
        await (await two.attach(job.id)).cancel()
        with pytest.raises(triort.TaskCancelled):
            await job.result()
        assert (await job.status()).state == "cancelled"


async def test_an_error_comes_to_each_that_attaches(port):
    async with client_of(port) as client:
        number = (await client.submit(jobs.fail, "once", detached=True)).id
        for _ in range(2):
            with pytest.raises(jobs.Expected, match="once"):
                await (await client.attach(number)).result()


async def test_what_cannot_be_attached_to_is_a_usage_error_in_one_line(port):
    async with client_of(port) as one, client_of(port) as two:
        with pytest.raises(triort.UsageError, match="there is no job 1 here"):
            await one.attach(1)
        for nonsense in (-1, 2**63, True, "1", 1.0):
            with pytest.raises(triort.UsageError, match="is not the number of a job"):
                await one.attach(nonsense)
        job = await one.submit(jobs.spin)
        with pytest.raises(triort.UsageError, match=f"job {job.id} is not detached") as caught:
            await two.attach(job.id)
        assert "\n" not in str(caught.value)
        await job.cancel()


async def test_a_job_that_is_forgotten_is_no_more(port):
    async with client_of(port) as client:
        job = await client.submit(jobs.square, 3, detached=True)
        assert await job.result() == 9
        await job.forget()
        assert await job.result() == 9
        with pytest.raises(triort.UsageError, match="has been forgotten"):
            await client.attach(job.id)


async def test_in_an_embedded_cluster_too():
    async with triort.open_cluster(1) as client:
        job = await client.submit(jobs.square, 4, detached=True)
        assert await (await client.attach(job.id)).result() == 16


async def test_a_cancelled_submit_cancels_the_job(port):
    async with client_of(port) as client:
        with trio.CancelScope() as scope:
            scope.cancel()
            await client.submit(jobs.spin, detached=True)
        while (await client.status()).tasks:
            await trio.sleep(0.01)
