"""A client that submits more than the server may hold hears so; others are served, and it may go on itself."""

from __future__ import annotations

import pytest
import trio

import triort

MIB = 1 << 20
pytestmark = pytest.mark.processes


def length_after(data: bytes, seconds: float) -> int:
    trio.run(trio.sleep, seconds)
    return len(data)


async def test_what_is_too_much_is_rejected_and_what_has_ended_makes_room() -> None:
    server, listens = triort.Server(None, 0, num_workers=1), trio.Event()
    server.jobs.held.limit = 64 * MIB
    server.on_listening = lambda _: listens.set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run)
        await listens.wait()
        address = f"127.0.0.1:{server.port}"
        with trio.fail_after(60):
            async with triort.open_client(address) as greedy, triort.open_client(address) as other:
                with pytest.raises(triort.JobRejected, match=r"40 MiB more are too much.*as is free of 64 MiB"):
                    await greedy.run(len, bytes(40 * MIB))
                for _ in range(5):
                    assert await greedy.run(len, bytes(20 * MIB)) == 20 * MIB
                with pytest.raises(triort.JobRejected, match="are too much"):
                    await greedy.map(length_after, [bytes(MIB)] * 100, [0.05] * 100)
                assert await other.run(len, bytes(10 * MIB)) == 10 * MIB
                assert await greedy.run(len, b"xy") == 2
                assert (server.jobs.held.total, server.jobs.held.by_client) == (0, {})
        nursery.cancel_scope.cancel()
