"""Large values over a tree of processes: by TCP where they have to, by shared memory between a node and its workers."""

import os
from pathlib import Path

import numpy as np
import pytest
import trio

import triort
from tests._cli.commands import Commands, call, wait_until
from tests._cli.test_connected import Cluster
from tests._client import large
from tests._client.large import MIB
from triort._model.limits import SEGMENTS_MAX

pytestmark = pytest.mark.processes

BYTES = os.urandom(MIB) * 6
NUMBERS = MIB


def segments_of(pid: int) -> list[str]:
    """The descriptors of shared parts that another process has."""
    folder = Path(f"/proc/{pid}/fd")
    links = [folder / entry.name for entry in folder.iterdir()]
    return [str(link) for link in links if os.path.lexists(link) and "triort-part" in os.readlink(link)]


async def send_all(port: str) -> None:
    async with triort.open_client(f"127.0.0.1:{port}") as client:
        with trio.fail_after(60):
            assert await client.run(large.echo, BYTES) == BYTES
            assert await client.run(large.echo, [BYTES[i:] for i in range(5)]) == [BYTES[i:] for i in range(5)]
            result = await client.run(large.add_one, np.zeros(NUMBERS))
            result += 1
            assert result.sum() == 2 * NUMBERS
            assert await client.run(large.spread_out, 6, NUMBERS) == [NUMBERS] * 6
            assert await client.run(large.chain, 4, BYTES) == BYTES
            results = await client.map(large.echo, [bytes([i]) * (2 * MIB) for i in range(20)])
            assert [result[:1] for result in results] == [bytes([i]) for i in range(20)]


def test_large_values_travel_over_levels_of_managers(commands: Commands) -> None:
    server, middle, leaves, port = commands.small_tree()
    trio.run(send_all, port)
    assert [segments_of(command.process.pid) for command in (server, middle)] == [[], []]
    wait_until(lambda: all(len(segments_of(leaf.process.pid)) <= SEGMENTS_MAX for leaf in leaves))
    assert any(segments_of(leaf.process.pid) for leaf in leaves)


def test_large_values_travel_to_workers_that_connect_by_themselves(commands: Commands) -> None:
    cluster = Cluster(commands, 2)
    trio.run(send_all, cluster.port)
    assert segments_of(cluster.manager.process.pid)


def test_a_large_job_outlives_its_server(commands: Commands, tmp_path: Path) -> None:
    """Arguments and results in a journal are bytes like others."""
    journal = str(tmp_path / "journal")
    manager = commands.start("triort-manager", "-p", "0", "-n", "1")
    port = manager.port()
    server = commands.start("triort-server", f"127.0.0.1:{port}", "-p", "0", "--journal", journal)

    async def submit() -> int:
        async with triort.open_client(f"127.0.0.1:{server.port()}") as client:
            job = await client.submit(large.add_one, np.zeros(NUMBERS), detached=True)
            await job.result()
            return job.id

    async def attach(server_port: str, job_id: int) -> float:
        async with triort.open_client(f"127.0.0.1:{server_port}") as client:
            job = await client.attach(job_id)
            return float((await job.result()).sum())

    job_id = trio.run(submit)
    server.process.kill()
    server.process.wait()
    again = commands.start("triort-server", f"127.0.0.1:{port}", "-p", "0", "--journal", journal)
    assert trio.run(attach, again.port(), job_id) == NUMBERS
    assert call("triort", "status", "--connect", f"127.0.0.1:{again.port_there()}").returncode == 0
