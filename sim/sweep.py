"""Many seeds by hand, in one command: small plans of all faults, and every scenario in turn among them.

    python -m sim.sweep --tier 1 --seeds 100000
    python -m sim.sweep --tier 2 --seeds 10000 --first 500000

Each seed that fails is told with the line that replays it. Exits with 1 if one has failed.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from sim.progress import shown
from sim.scenarios import SCENARIOS, try_one
from sim.workers import Workers
from triort._node.defaults import count_cpus
from triort.testing._seeds import Tried

SMALL = ("sim.test_everything_at_once", "test_any_mix_of_faults_is_survived_by_small_loads")
OTHERS_EVERY = 12
"""One seed of so many goes to another scenario."""
CHUNK = 2_000
"""Seeds after which the processes are started afresh."""
Call = tuple[str, str, int, tuple[int, ...]]


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m sim.sweep", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tier", type=int, choices=(1, 2), default=1, help="default: %(default)s")
    parser.add_argument("--seeds", type=int, default=1_000, metavar="N", help="so many (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, metavar="S", help="from this one on (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=count_cpus(), metavar="J", help="processes (default: %(default)s)")
    given = parser.parse_args(argv)
    if min(given.seeds, given.jobs) < 1 or given.first < 0:
        parser.error("--seeds and --jobs are at least 1, --first at least 0")
    return given


def others_of(tier: int) -> list[tuple[str, str]]:
    """The scenarios of this tier whose seeds make different plans."""
    for path in Path(__file__).parent.glob("test_*.py"):
        importlib.import_module(f"sim.{path.stem}")
    return sorted(key for key, each in SCENARIOS.items() if tier in each.tiers and each.seeds > 1 and key != SMALL)


def calls_of(seeds: range, tier: int) -> list[Call]:
    """Which scenario each seed goes to."""
    others = others_of(tier)
    keys = (SMALL if seed % OTHERS_EVERY else others[seed // OTHERS_EVERY % len(others)] for seed in seeds)
    return [(*key, seed, (tier,)) for key, seed in zip(keys, seeds, strict=True)]


def sweep(calls: Sequence[Call], jobs: int) -> Iterator[Tried]:
    """How each of them did, as they end."""
    for first in range(0, len(calls), CHUNK):
        with Workers(jobs) as workers, closing(workers.each(try_one, calls[first : first + CHUNK])) as all_tried:
            yield from all_tried


def main(argv: Sequence[str]) -> int:
    """Run the seeds, and tell what has failed."""
    given = parse(argv)
    calls = calls_of(range(given.first, given.first + given.seeds), given.tier)
    all_tried = sweep(calls, given.jobs)
    if sys.stderr.isatty():
        all_tried = shown(f"tier {given.tier}", len(calls), all_tried)
    start_s = time.monotonic()
    num_failing = num_events = 0
    for tried in all_tried:
        num_events += tried.num_events
        if tried.trial is not None:
            num_failing += 1
            name = calls[tried.seed - given.first][1]
            line = tried.text.strip().splitlines()[0]
            print(f"{tried.check}: {line}\n  pytest sim -k {name} --sim-seed={tried.seed}", flush=True)
    minutes = (time.monotonic() - start_s) / 60
    print(f"tier {given.tier}: {len(calls)} seeds, {num_failing} failing, {num_events} events, {minutes:.1f} min")
    return 1 if num_failing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
