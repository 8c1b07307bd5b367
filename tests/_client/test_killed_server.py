"""A server that is killed again and again under nested jobs: every value is that of a serial run, and comes once."""

import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

import triort
from tests._client import jobs
from triort._client import jobs as client_jobs

pytestmark = pytest.mark.processes

KILLS = 4
BOUND_S = 60


class KilledServer:
    """A server process; `kill` ends it by SIGKILL and starts the next one on the same port and journal."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        self.next_s = 0.0

    async def start(self) -> None:
        command = [sys.executable, "-m", "tests._client.journaled_server", str(self.path), str(self.port), "2"]
        self.process = process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        self.port = int(await trio.to_thread.run_sync(process.stdout.readline))

    def end(self, number: signal.Signals) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.send_signal(number)
        self.process.wait(BOUND_S)
        self.process.stdout.close()

    async def kill(self) -> None:
        self.end(signal.SIGKILL)
        await self.start()


@asynccontextmanager
async def server_at(path: Path) -> AsyncIterator[KilledServer]:
    server = KilledServer(path)
    await server.start()
    try:
        yield server
    finally:
        server.end(signal.SIGTERM)


async def test_nested_jobs_survive_a_server_that_is_killed(tmp_path, monkeypatch):
    taken: list[tuple[int, int]] = []
    original = client_jobs.Job._take

    def observed(job, index):
        taken.append((job.id, index))
        return original(job, index)

    monkeypatch.setattr(client_jobs.Job, "_take", observed)
    draw = random.Random(4)
    results: dict[str, Any] = {}
    async with server_at(tmp_path / "journal") as server:
        with trio.fail_after(BOUND_S):
            async with triort.open_client(f"127.0.0.1:{server.port}") as client, trio.open_nursery() as nursery:

                async def complete() -> None:
                    results["completed"] = [pair async for pair in client.as_completed(jobs.sum_of_squares, range(60))]

                async def gather() -> None:
                    results["map"] = await client.map(jobs.sum_of_squares, range(30))

                number = (await client.submit(jobs.sum_of_squares, 25, detached=True)).id
                nursery.start_soon(complete)
                nursery.start_soon(gather)
                for _ in range(KILLS):
                    await trio.sleep(draw.uniform(0.05, 0.6))
                    await server.kill()
            async with triort.open_client(f"127.0.0.1:{server.port}") as client:
                results["detached"] = await (await client.attach(number)).result()
                assert (await client.status()).tasks == 0
    serial = [sum(x * x for x in range(n)) for n in range(60)]
    assert results["map"] == serial[:30]
    assert sorted(results["completed"]) == list(enumerate(serial))
    assert results["detached"] == serial[25]
    assert len(taken) == 60
    assert len(set(taken)) == 60
