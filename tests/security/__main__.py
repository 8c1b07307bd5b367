"""All attacks in full: frames, sequences, peers, records, stalls, idlers, descriptors, strangers. One command:

    python -m tests.security
    python -m tests.security --only peers --peers 100
    python -m tests.security --json > report.json

The exit code is 0 if nothing is wrong. `tests/security/test_security.py` is the share of it that CI runs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from tests.security.cluster import open_cluster
from tests.security.fuzz import run_fuzz
from tests.security.hosts import run_hosts
from tests.security.peers import KINDS, Stage, run_kind
from tests.security.pressure import run_exhausted, run_idle, run_questions, run_stalled
from tests.security.records import run_records
from tests.security.sequences import run_sequences
from tests.security.stranger import run_stranger

Part = tuple[dict[str, Any], list[str]]


def parse(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.security", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--frames", type=int, default=1_000_000, metavar="N", help="mutated frames (default: %(default)s)")
    add("--sequences", type=int, default=100_000, metavar="N", help="of each kind of peer (default: %(default)s)")
    add("--peers", type=int, default=1_000, metavar="N", help="of each kind of bad peer (default: %(default)s)")
    add("--records", type=int, default=200_000, metavar="N", help="of each flood of TLS (default: %(default)s)")
    add(
        "--questions", type=int, default=500_000, metavar="N", help="of each kind, by one client (default: %(default)s)"
    )
    add("--stalled", type=int, default=1_000, metavar="N", help="stalled handshakes (default: %(default)s)")
    add("--idle", type=int, default=10_000, metavar="N", help="idle connections (default: %(default)s)")
    add("--descriptors", type=int, default=128, metavar="N", help="of the server that runs out (default: %(default)s)")
    add("--seed", type=int, default=1, metavar="N", help="of all chances (default: %(default)s)")
    add("--only", action="append", choices=PARTS, metavar="PART", help="only this part, of: " + ", ".join(PARTS))
    add("--json", action="store_true", help="report as JSON")
    return parser.parse_args(argv)


def run_peers(number: int) -> Part:
    """All kinds of bad peers at one server, which then still serves."""
    figures: dict[str, Any] = {}
    wrong: list[str] = []
    with open_cluster() as cluster:
        stage = Stage(cluster)
        for kind in KINDS:
            figures[kind], faults = run_kind(stage, kind, number)
            wrong += faults
        figures["an honest client afterwards, ms"] = round(cluster.ask() * 1e3, 1)
        wrong += cluster.problems()
        if "unpickled" in cluster.log():
            wrong.append("the server has unpickled")
        figures["lines in the server's log"] = cluster.log().count("\n")
    return figures, wrong


def run_one_stranger() -> Part:
    """The stranger, where this process may become another user."""
    return run_stranger() if os.geteuid() == 0 else ({"left out": "only root can become another user"}, [])


PARTS: dict[str, Callable[[argparse.Namespace], Part]] = {
    "fuzz": lambda given: run_fuzz(given.frames, given.seed),
    "sequences": lambda given: run_sequences(given.sequences, given.seed),
    "peers": lambda given: run_peers(given.peers),
    "records": lambda given: run_records(given.records),
    "questions": lambda given: run_questions(given.questions),
    "stalled": lambda given: run_stalled(given.stalled),
    "idle": lambda given: run_idle(given.idle),
    "descriptors": lambda given: run_exhausted(given.descriptors),
    "stranger": lambda given: run_one_stranger(),
    "hosts": lambda given: run_hosts(),
}


def run(given: argparse.Namespace) -> Iterator[tuple[str, Part]]:
    """The parts that are wanted, one after the other."""
    for name in given.only or PARTS:
        yield name, PARTS[name](given)


def main(argv: list[str]) -> int:
    """Run and report."""
    given = parse(argv)
    report: dict[str, Any] = {}
    for name, (figures, wrong) in run(given):
        report[name] = {**figures, "wrong": wrong}
        if not given.json:
            print(f"{name}: {'WRONG' if wrong else 'ok'}", flush=True)
            for key, value in report[name].items():
                print(f"    {key}: {value}", flush=True)
    if given.json:
        print(json.dumps(report, indent=2))
    return int(any(part["wrong"] for part in report.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
