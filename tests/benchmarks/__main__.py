"""The benchmark suite: triort beside its peers, interleaved in one run. ``python -m tests.benchmarks --help``."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.access import temporary_access
from tests.benchmarks.peers.table import OTHERS, PEERS, missing
from tests.benchmarks.report import HEADER, lines_of, summary, table_of
from tests.benchmarks.row import Row
from tests.benchmarks.rows import ROWS
from tests.benchmarks.running import Results, Runner
from tests.benchmarks.sizes import TINY, Sizes


def names(known: Sequence[str]) -> Any:
    """A type for an option that takes some of the known names, separated by commas."""

    def parse(text: str) -> list[str]:
        chosen = [word for word in text.split(",") if word]
        if unknown := sorted(set(chosen) - set(known)):
            raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; there are {', '.join(known)}")
        return chosen

    return parse


def count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    add = parser.add_argument
    add("--rows", type=names(list(ROWS)), default=list(ROWS), metavar="ROW,...", help="only these (default: all)")
    add("--peers", type=names(OTHERS), default=OTHERS, metavar="PEER,...",
        help=f"beside triort only these of {', '.join(OTHERS)} (default: all that are installed)")  # fmt: skip
    add("--reps", type=count, default=5, help="repetitions; in each every peer is asked once (default: %(default)s)")
    add("--workers", type=count, default=2, help="of each peer (default: %(default)s)")
    add("--tiny", action="store_true", help="tiny numbers, to see whether everything runs; the figures say nothing")
    add("--json", action="store_true", help="figures for machines")
    add("--list", action="store_true", help="list rows and their peers, and end")
    return parser.parse_args(argv)


def chosen(row: Row, options: argparse.Namespace) -> list[str]:
    """The row's peers that are wanted and installed."""
    left_out = set(OTHERS) - set(options.peers) | set(missing())
    return [peer for peer in row.peers if peer not in left_out]


def run(options: argparse.Namespace) -> list[Results]:
    """Run the rows; each part of the table is printed when it is there."""
    plan = [(ROWS[name], chosen(ROWS[name], options)) for name in options.rows]
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=sum(len(peers) for _, peers in plan) * options.reps)

        def on_step(row: str, peer: str, repetition: int) -> None:
            what = "opening" if repetition < 0 else f"{repetition + 1} of {options.reps}"
            progress.update(bar, description=f"{row}, {peer}, {what}", advance=0 if repetition < 0 else 1)

        runner = Runner(TINY if options.tiny else Sizes(), options.reps, options.workers, on_step)
        found = []
        for row, peers in plan:
            results = runner.run(row, peers)
            found.append(results)
            if not options.json:
                print(table_of(results), flush=True)
    return found


def circumstances(options: argparse.Namespace) -> str:
    """Where and how, in one line."""
    return (
        f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the "
        f"{'end' if options.json else 'start'}; {options.workers} workers, {options.reps} repetitions"
    )


def versions() -> dict[str, str]:
    """Of triort and the peers that are installed."""
    packages = ["triort", *(PEERS[key].needs for key in OTHERS if PEERS[key].needs and key not in missing())]
    return {package: importlib.metadata.version(package) for package in packages}


def as_data(options: argparse.Namespace, found: list[Results]) -> dict[str, Any]:
    return {
        "circumstances": circumstances(options),
        "versions": versions(),
        "workers": options.workers,
        "reps": options.reps,
        "not_installed": missing(),
        "failures": {results.row.name: results.failures for results in found if results.failures},
        "lines": [line.as_data() for results in found for line in lines_of(results)],
    }


def show_list() -> None:
    for row in ROWS.values():
        print(f"{row.name:10} {row.title}\n{'':10} {', '.join(row.peers)}")


def main(argv: Sequence[str] | None = None) -> int:
    options = parse(argv)
    if options.list:
        show_list()
        return 0
    if absent := [peer for peer in missing() if peer in options.peers]:
        print(f"not installed, so left out: {', '.join(absent)}", file=sys.stderr)
    if not options.json:
        print(f"{circumstances(options)}\n\n{HEADER}", flush=True)
    with temporary_access():
        found = run(options)
    print(json.dumps(as_data(options, found), indent=1) if options.json else summary(found))
    for results in found:
        for why in results.failures.values():
            print(why, file=sys.stderr)
    return 1 if any(results.failures for results in found) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)
