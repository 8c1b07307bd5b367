"""From nothing to the first result, and from there to the end of the last process: whole Python processes.

Each script opens its peer, runs one task, says so, and closes the peer. The task is a builtin, so no script imports
anything but its peer. `python -c "import trio"` stands beside them, from its start to its end.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
import time

from tests.benchmarks.peers.table import OTHERS, TRIORT
from tests.benchmarks.row import Figures, Row

FIRST = "first result after the start, ms"
END = "end after the first result, ms"
BOUND_S = 120.0

SCRIPTS = {
    TRIORT: """
import trio, triort
async def main():
    async with triort.open_cluster({n}) as client:
        print(await client.run(abs, -7), flush=True)
trio.run(main)
""",
    "pool": """
import multiprocessing
with multiprocessing.get_context("fork").Pool({n}) as pool:
    print(pool.apply(abs, (-7,)), flush=True)
""",
    "executor": """
from concurrent.futures import ProcessPoolExecutor
with ProcessPoolExecutor({n}) as executor:
    print(executor.submit(abs, -7).result(), flush=True)
""",
    "loky": """
import loky
with loky.get_reusable_executor({n}) as executor:
    print(executor.submit(abs, -7).result(), flush=True)
""",
    "trio-parallel": """
import trio, trio_parallel
async def main():
    async with trio_parallel.open_worker_context() as context:
        print(await context.run_sync(abs, -7, limiter=trio.CapacityLimiter({n})), flush=True)
trio.run(main)
""",
    "bqskit": """
import socket, subprocess, sys
from bqskit import Circuit
from bqskit.compiler import Compiler
from bqskit.passes import NOOPPass
ports = []
for _ in range(2):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        ports.append(listener.getsockname()[1])
start = "from bqskit.runtime.attached import start_attached_server as start; start({n}, port=%d, worker_port=%d)"
server = subprocess.Popen([sys.executable, "-c", start % tuple(ports)])
with Compiler("localhost", ports[0]) as compiler:
    compiler.result(compiler.submit(Circuit(1), [NOOPPass()]))
    print(7, flush=True)
server.wait()
""",
    "dask": """
import logging
from distributed import Client, LocalCluster
if __name__ == "__main__":
    with LocalCluster({n}, threads_per_worker=1, dashboard_address=None, silence_logs=logging.ERROR) as cluster:
        with Client(cluster) as client:
            print(client.submit(abs, -7).result(), flush=True)
""",
    "ray": """
import logging, os, tempfile
os.environ |= {{"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}}
import ray
ray.init(num_cpus={n}, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False,
         object_store_memory=1 << 30, _temp_dir=tempfile.mkdtemp(prefix="r"), _node_ip_address="127.0.0.1")
print(ray.get(ray.remote(lambda x: abs(x)).remote(-7)), flush=True)
ray.shutdown()
""",
    "import-trio": "import trio",
}


def wait(process: subprocess.Popen[bytes]) -> int:
    """The exit code. (`Popen.wait` with a bound looks again after 0.5, 1, 2, … 50 ms, which would be what is seen.)"""
    pidfd = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        poll.poll(BOUND_S * 1e3)
    finally:
        os.close(pidfd)
    return process.wait(0.001)


def measure(peer: str, workers: int) -> Figures:
    script = SCRIPTS[peer].format(n=workers)
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, cwd=folder
        )
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            first = time.perf_counter()
            code = wait(process)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        end = time.perf_counter()
        errors.seek(0)
        if code != 0 or (line.strip() != b"7" and peer != "import-trio"):
            raise AssertionError(f"exit code {code} and {line!r}: {errors.read()[-2000:].decode(errors='replace')}")
    if peer == "import-trio":
        return {FIRST: 1e3 * (end - start)}
    return {FIRST: 1e3 * (first - start), END: 1e3 * (end - first)}


COLD = Row("cold", "a whole process: open, one task, close", (TRIORT, "import-trio", *OTHERS), measure_here=measure)
