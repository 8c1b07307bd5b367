"""The command ``triort demo``: a nested search on this machine's CPUs, with its answer and an honest speed-up.

The search on one process is measured first and alone; the parallel one from the submission of the job to its answer,
when the workers are there. How long these took to start is told beside it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import trio

from triort._cli.arguments import EXIT_FAILED, Parser, complain, count, worker_count
from triort._cli.queens import EMPTY, SOLUTIONS, count_solutions, place_queen, search
from triort._cli.running import run_command
from triort._client.client import Client
from triort._client.embedded import open_cluster
from triort._model.limits import DEMO_LOOK_S
from triort._node.defaults import count_cpus

PROG = "triort demo"
DEFAULT_SIZE = 13


@attrs.define
class Demo:
    """The run and its figures."""

    size: int
    num_workers: int
    is_watched: bool
    solutions: int = 0
    tasks: int = 0
    seconds: float = 0.0
    start_seconds: float = 0.0
    serial_seconds: float = 0.0

    async def run(self) -> None:
        """Search in one process, then on a cluster."""
        with _status("searching in one process, for comparison", self.is_watched):
            start = time.perf_counter()
            serial = await trio.to_thread.run_sync(count_solutions, self.size, abandon_on_cancel=True)
            self.serial_seconds = time.perf_counter() - start
        start = time.perf_counter()
        async with open_cluster(self.num_workers) as client:
            self.start_seconds = time.perf_counter() - start
            start = time.perf_counter()
            await self._search(client)
            self.seconds = time.perf_counter() - start
        assert serial == self.solutions

    async def _search(self, client: Client) -> None:
        firsts = place_queen(self.size, EMPTY)
        async with trio.open_nursery() as nursery:
            with self._progress(client, nursery, len(firsts)) as advance:
                async for _, (solutions, tasks) in client.as_completed(search, [self.size] * len(firsts), firsts):
                    self.solutions += solutions
                    self.tasks += tasks
                    advance()
            nursery.cancel_scope.cancel()

    @contextmanager
    def _progress(self, client: Client, nursery: trio.Nursery, total: int) -> Iterator[Any]:
        """A bar of the first placements, with what the cluster is doing, if somebody watches."""
        if not self.is_watched:
            yield lambda: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn(f"{self.size} queens"), BarColumn(), MofNCompleteColumn(),
            TextColumn("{task.description}"), TimeElapsedColumn(),
        )  # fmt: skip
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            line = bar.add_task("", total=total)

            async def look() -> None:
                while True:
                    status = await client.status()
                    busy = status.num_workers - status.idle_workers
                    text = f"{busy} of {count(status.num_workers, 'worker')} busy, {count(status.tasks, 'task')} open"
                    bar.update(line, description=text)
                    await trio.sleep(DEMO_LOOK_S)

            nursery.start_soon(look)
            yield lambda: bar.advance(line)

    def figures(self) -> dict[str, Any]:
        """For programs."""
        return {
            "queens": self.size,
            "solutions": self.solutions,
            "expected": SOLUTIONS[self.size],
            "tasks": self.tasks,
            "workers": self.num_workers,
            "start_seconds": round(self.start_seconds, 3),
            "seconds": round(self.seconds, 3),
            "serial_seconds": round(self.serial_seconds, 3),
            "speed_up": round(self.serial_seconds / self.seconds, 2),
        }

    def describe(self) -> str:
        """For people."""
        return (
            f"{self.size} queens can stand on a board of {self.size} x {self.size} in {self.solutions:,} ways.\n"
            f"{self.tasks:,} tasks in three levels took {self.seconds:.2f} s on {count(self.num_workers, 'worker')}, "
            f"which had started in {self.start_seconds:.2f} s;\n"
            f"the same search in one process took {self.serial_seconds:.2f} s, "
            f"which makes a speed-up of {self.serial_seconds / self.seconds:.2f}."
        )


@contextmanager
def _status(text: str, is_watched: bool) -> Iterator[None]:
    if not is_watched:
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


def _parser() -> Parser:
    parser = Parser(PROG, "Search for all ways to place n queens, on a cluster of this machine's CPUs.")
    add = parser.add_argument
    add("-n", "--num-workers", type=worker_count, default=-1, metavar="N", help="workers (default: one for each CPU)")
    add("--size", type=int, choices=SOLUTIONS, default=DEFAULT_SIZE, help="queens (default: %(default)s)")
    add("--json", action="store_true", help="print the figures as JSON")
    parser.add_verbose()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(argv)
    num_workers = count_cpus() if options.num_workers == -1 else options.num_workers
    demo = Demo(options.size, num_workers, not options.json and sys.stderr.isatty())
    code = run_command(PROG, demo.run, verbose=options.verbose)
    if code:
        return code
    print(json.dumps(demo.figures()) if options.json else demo.describe())
    if demo.solutions != SOLUTIONS[options.size]:
        complain(PROG, f"{demo.solutions} is wrong: there are {SOLUTIONS[options.size]} solutions")
        return EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
