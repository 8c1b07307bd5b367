"""A client that reads nothing, with much waiting for it, is given up by the server; others are served meanwhile."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
import trio

import triort
from triort._node import readers

MIB = 1 << 20
GREEDY = """
import sys, trio, triort

def large(number):
    return bytes(4 << 20)

async def main():
    async with triort.open_client(sys.argv[1]) as client:
        async for _ in client.as_completed(large, range(1_000)):
            print("it reads", flush=True)

trio.run(main)
"""

pytestmark = pytest.mark.processes


async def test_a_client_that_reads_nothing_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(readers, "READER_PENDING_BYTES_MAX", 16 * MIB)
    monkeypatch.setattr(readers, "READER_WAIT_S", 0.2)
    server, listens = triort.Server(None, 0, num_workers=1), trio.Event()
    server.on_listening = lambda _: listens.set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run)
        await listens.wait()
        address = f"127.0.0.1:{server.port}"
        process = subprocess.Popen([sys.executable, "-c", GREEDY, address], stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            await trio.to_thread.run_sync(process.stdout.readline)
            process.send_signal(signal.SIGSTOP)
            async with triort.open_client(address) as good:
                with trio.fail_after(60):
                    while "reads nothing of what it is told" not in caplog.text:
                        assert await good.run(abs, -7) == 7
                    assert await good.run(abs, -7) == 7
        finally:
            process.kill()
            process.communicate()
        nursery.cancel_scope.cancel()
