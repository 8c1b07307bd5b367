"""Real processes that die by chance, under a load whose every value is known: one command for the full run.

    python -m tests.chaos --kills 1000 --tasks 100000
    python -m tests.chaos --only kills --kills 200
    python -m tests.chaos --json > report.json

The exit code is 0 if all that must be zero is zero.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable

import trio

from tests.access import temporary_access
from tests.chaos.cuts import break_link, run_cuts, run_in_namespace, silence_link, stop_manager
from tests.chaos.kills import WEIGHTS, run_kills, weights_of
from tests.chaos.misbehaving import run_misbehaving
from tests.chaos.recovery import run_recovery
from tests.chaos.report import Part, show
from tests.chaos.servers import run_client_kills, run_server_kills


def parse(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1_000, metavar="N", help="random kills (default: %(default)s)")
    parser.add_argument("--tasks", type=int, default=100_000, metavar="N", help="at least so many tasks in them")
    parser.add_argument("--rate", type=float, default=2.0, metavar="N", help="kills a second (default: %(default)s)")
    parser.add_argument("--recoveries", type=int, default=100, metavar="N", help="kills one at a time, for the times")
    parser.add_argument("--cuts", type=int, default=40, metavar="N", help="stops, and cuts, of each kind of part")
    parser.add_argument("--server-kills", type=int, default=50, metavar="N", help="SIGKILLs of a server with a journal")
    parser.add_argument("--client-kills", type=int, default=20, metavar="N", help="SIGKILLs of clients")
    parser.add_argument("--real-times", action="store_true", help="stops and cuts with the product's session times")
    parser.add_argument("--victims", default=",".join(f"{kind}={weight}" for kind, weight in WEIGHTS.items()),
                        metavar="KIND=WEIGHT,...", help="who is killed, how often (default: %(default)s)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of all chances (default: %(default)s)")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART",
                        help="only this part, of: " + ", ".join(PARTS))  # fmt: skip
    parser.add_argument("--keep", action="store_true", help="keep the folders with logs and records, and name them")
    parser.add_argument("--json", action="store_true", help="report as JSON")
    return parser.parse_args(argv)


PARTS: dict[str, Callable[[argparse.Namespace], Awaitable[Part]]] = {
    "kills": lambda given: run_kills(
        given.kills, given.tasks, given.seed, given.rate, weights_of(given.victims), keep=given.keep
    ),
    "recovery": lambda given: run_recovery(given.recoveries, given.seed, keep=given.keep),
    "stops": lambda given: run_cuts(
        "stops", (stop_manager,), given.cuts, given.seed, real_times=given.real_times, keep=given.keep
    ),
    "cuts": lambda given: run_cuts(
        "cuts", (break_link, silence_link), given.cuts, given.seed, real_times=given.real_times, keep=given.keep
    ),
    "namespace": lambda given: run_in_namespace(given.cuts, given.seed, real_times=given.real_times),
    "server": lambda given: run_server_kills(given.server_kills, given.seed, keep=given.keep),
    "clients": lambda given: run_client_kills(given.client_kills, given.seed, keep=given.keep),
    "tasks": lambda given: run_misbehaving(given.seed, keep=given.keep),
}


def main(argv: list[str]) -> int:
    """Run the parts, one after the other, and report."""
    given = parse(argv)
    parts: list[Part] = []
    try:
        for name in given.only or PARTS:
            print(f"{name} …", file=sys.stderr, flush=True)
            with temporary_access():
                parts.append(trio.run(PARTS[name], given))
    finally:  # also what was done before something went wrong
        show(parts, as_json=given.json)
    return 0 if all(part.is_good for part in parts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
