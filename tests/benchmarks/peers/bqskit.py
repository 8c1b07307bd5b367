"""BQSKit's runtime: an attached server, as a Compiler starts it, but on free ports.

A client can only submit circuits with a workflow, so whatever has many tasks runs inside a pass, which is where BQSKit
itself uses its runtime. Compiler.compile() sleeps 50 ms by itself and is avoided.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from bqskit import Circuit
from bqskit.compiler import BasePass, Compiler

from tests.benchmarks import tasks
from tests.benchmarks.peers import bqskit_passes as passes
from tests.benchmarks.peers.blocking import let_run
from tests.benchmarks.peers.peer import Fn
from tests.benchmarks.processes import by_role

START = "import sys; from bqskit.runtime.attached import start_attached_server as start; " + (
    "start(int(sys.argv[1]), port=int(sys.argv[2]), worker_port=int(sys.argv[3]))"
)


class BqskitPeer:
    """`map` is RuntimeHandle.map in a pass, a single submit is RuntimeHandle.submit there."""

    def __init__(self, compiler: Compiler, workers: int) -> None:
        self.compiler = compiler
        self.workers = workers

    def run(self, work: BasePass) -> Any:
        """Run a pass and return what it has left."""
        task = self.compiler.submit(Circuit(1), [work], request_data=True)
        _, data = self.compiler.result(task)
        return data["out"]

    async def call(self, fn: Fn, *args: Any) -> Any:
        return self.run(passes.Call(fn, args))

    async def map(self, fn: Fn, items: Sequence[Any]) -> list[Any]:
        return list(self.run(passes.Map(fn, list(items))))

    async def submits(self, fn: Fn, items: Sequence[Any]) -> list[Any]:
        """All at once in a pass: from its client each would be a compilation of its own."""
        return list(self.run(passes.Submits(fn, list(items))))

    async def first(self, fn: Fn, items: Sequence[Any]) -> float:
        return float(self.run(passes.First(fn, list(items))))

    async def tree(self, depth: int, fan: int) -> int:
        return int(self.run(passes.Call(passes.tree, (depth, fan))))

    async def fib(self, n: int) -> int:
        return int(self.run(passes.Call(passes.fib, (n,))))

    async def submits_inside(self, n: int) -> float:
        return float(self.run(passes.TimedSubmits(n)))

    async def children(self, n: int) -> list[float]:
        """Seconds of awaited children, on whichever worker."""
        return list(self.run(passes.Children(n)))

    def processes(self) -> dict[str, list[int]]:
        return by_role("server")

    async def cancel_many(self, n: int) -> float:
        """The client cancels the compilation."""
        start = time.perf_counter()
        task = self.compiler.submit(Circuit(1), [passes.Map(tasks.nap, [0.01] * n)])
        let_run(start)
        start = time.perf_counter()
        self.compiler.cancel(task)
        self.run(passes.Call(tasks.noop, (1,)))
        return time.perf_counter() - start


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@asynccontextmanager
async def open_peer(workers: int) -> AsyncIterator[BqskitPeer]:
    port, worker_port = free_port(), free_port()
    server = subprocess.Popen([sys.executable, "-c", START, str(workers), str(port), str(worker_port)])
    try:
        with Compiler("localhost", port) as compiler:
            yield BqskitPeer(compiler, workers)
        server.wait(10)  # it ends when its only client has gone
    finally:
        server.kill()
        server.wait()
