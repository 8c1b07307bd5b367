"""BQSKit's programs on triort beside BQSKit's own runtime, in turn: ``python -m tests.benchmarks.bqskit --help``.

*triort* is the drop-in with a cluster of its own, *gateway* an unmodified Compiler before ``triort-bqskit-server``, and
*bqskit* BQSKit's attached runtime (on free ports, else as its Compiler starts it). All have the same number of workers.
A figure is the wall time of one program, without the start and the end of its Compiler; *whole* is with both. Ratios
are those of medians. With the same seed all are to give the same circuit.

``--soak N`` compiles N times in a row instead, with failures, cancels and a killed worker among them, and looks whether
anything is left over.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import bqskit.compiler
import psutil
import pytest
from bqskit import Circuit

from tests._cli.commands import open_commands
from tests.benchmarks.bqskit_programs import PROGRAMS, digest
from tests.benchmarks.peers.bqskit import START, free_port
from tests.bridges import bqskit_passes as passes
from triort.bridges.bqskit import Compiler

SIDES = ("triort", "gateway", "bqskit")
SETTLE_S = 20.0


@attrs.frozen
class Figure:
    """One run of a program."""

    seconds: float
    whole_seconds: float
    distance: float
    digest: str


@contextmanager
def open_compiler(side: str, workers: int) -> Iterator[Any]:
    """A Compiler with workers that have compiled nothing before: what they have makes some circuits others."""
    if side == "triort":
        with Compiler(num_workers=workers) as compiler:
            yield compiler
    elif side == "gateway":
        with open_commands() as commands:
            gateway = commands.start("triort-bqskit-server", "-n", str(workers), "-p", "0")
            with bqskit.compiler.Compiler("127.0.0.1", int(gateway.port())) as compiler:
                yield compiler
    else:
        port, worker_port = free_port(), free_port()
        server = subprocess.Popen([sys.executable, "-c", START, str(workers), str(port), str(worker_port)])
        with bqskit.compiler.Compiler("127.0.0.1", port) as compiler:
            compiler.p = server  # as if it had started it: then it waits 50 ms for records, and not half a second
            yield compiler


def measure(side: str, program: str, workers: int) -> Figure:
    begin = time.perf_counter()
    with open_compiler(side, workers) as compiler:
        start = time.perf_counter()
        circuit, distance = PROGRAMS[program](compiler)
        end = time.perf_counter()
    return Figure(end - start, time.perf_counter() - begin, distance, digest(circuit))


def run(options: argparse.Namespace) -> dict[str, dict[str, list[Figure]]]:
    figures: dict[str, dict[str, list[Figure]]] = {name: {side: [] for side in SIDES} for name in options.programs}
    for rep in range(options.reps):
        for name in options.programs:
            for side in SIDES:
                figure = measure(side, name, options.workers)
                figures[name][side].append(figure)
                text = f"{rep + 1} {name:12} {side:8} {figure.seconds:8.2f} s, whole {figure.whole_seconds:8.2f} s"
                print(f"{text}, distance {figure.distance:.1e}, {figure.digest}", file=sys.stderr, flush=True)
    return figures


def row(name: str, by_side: dict[str, list[Figure]]) -> dict[str, Any]:
    median = {side: statistics.median(figure.seconds for figure in by_side[side]) for side in SIDES}
    whole = {side: statistics.median(figure.whole_seconds for figure in by_side[side]) for side in SIDES}
    every = [figure for side in SIDES for figure in by_side[side]]
    return {
        "program": name,
        **{f"{side}_s": round(median[side], 2) for side in SIDES},
        "triort_ratio": round(median["triort"] / median["bqskit"], 2),
        "whole_ratio": round(whole["triort"] / whole["bqskit"], 2),
        "gateway_ratio": round(median["gateway"] / median["bqskit"], 2),
        "equal": len({figure.digest for figure in every}) == 1,
        "distance_max": max(figure.distance for figure in every),
    }


# -- many in a row -----------------------------------------------------------------------------------------------------


def soak(compiler: Any, count: int) -> None:
    """Compile so often; every third one fails or is cancelled, and once a worker is killed."""
    for number in range(count):
        match number % 6:
            case 2:
                with pytest.raises(RuntimeError, match="too bad"):
                    compiler.compile(Circuit(1), [passes.Call(passes.failing_child)])
            case 5:
                task = compiler.submit(Circuit(1), [passes.Call(passes.leave_children, os.devnull + "/never")])
                assert compiler.cancel(task)
            case _:
                task = compiler.submit(Circuit(1), [passes.Call(passes.two_levels, 10 + number)], True)
                if number == count // 2 and compiler.p is not None:
                    psutil.Process(compiler.p.pid).children()[0].send_signal(signal.SIGKILL)
                assert len(compiler.result(task)[1]["out"]) == 10 + number


def leftovers(compiler: Compiler) -> list[str]:
    """What the cluster of the Compiler still holds, after a while in which cancelled tasks end."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        status = compiler.conn.start(ask_status).result()
        found = [f"{name} {value}" for name, value in (("tasks", status.tasks), ("backlog", status.backlog)) if value]
        found += [f"busy {status.num_workers - status.idle_workers}"] * (status.idle_workers != status.num_workers)
        found += [f"{len(jobs)} jobs" for jobs in compiler.conn.call(open_jobs) if jobs]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


async def ask_status(client: Any) -> Any:
    return await client.status()


def open_jobs(client: Any) -> list[Any]:
    return [client._session.jobs, client._session.requests]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bqskit", description=__doc__)
    add = parser.add_argument
    add(
        "programs",
        nargs="*",
        metavar="PROGRAM",
        help=f"of {', '.join(PROGRAMS)} (default: all with 3 qubits or an adder)",
    )
    add("--reps", type=int, default=3, help="repetitions (default: %(default)s)")
    add("--workers", type=int, default=2, help="of each side (default: %(default)s)")
    add("--soak", type=int, metavar="N", help="compile N times in a row")
    add("--json", action="store_true", help="figures for machines")
    options = parser.parse_args(argv)
    if unknown := set(options.programs) - set(PROGRAMS):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    if options.soak:
        before = psutil.Process().children(recursive=True)
        with Compiler(num_workers=options.workers) as compiler:
            start = time.perf_counter()
            soak(compiler, options.soak)
            took = time.perf_counter() - start
            found = leftovers(compiler)
        found += [str(process) for process in psutil.Process().children(recursive=True) if process not in before]
        print(f"{options.soak} compilations in {took:.1f} s; left over: {', '.join(found) or 'nothing'}")
        return 1 if found else 0
    options.programs = options.programs or [name for name in PROGRAMS if not name.startswith("unitary4")]
    rows = [row(name, by_side) for name, by_side in run(options).items()]
    if options.json:
        print(json.dumps({"load": os.getloadavg(), "workers": options.workers, "reps": options.reps, "rows": rows}))
        return 0
    print(f"load average {os.getloadavg()[0]:.1f}, {options.workers} workers, medians of {options.reps}")
    for each in rows:
        print(
            "  ".join(f"{name} {value:.3g}" if isinstance(value, float) else f"{value}" for name, value in each.items())
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
