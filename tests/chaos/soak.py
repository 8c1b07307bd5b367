"""The soak: a steady load for half an hour, random kills all the time; memory and descriptors of every node stay flat.

    python -m tests.chaos.soak --minutes 30 --tasks 1000000

A slope is taken for each process after its warm-up, by least squares, with its standard error; what counts as growth is
a slope that is above the bound and beyond three of its errors. It is judged where the process has lived long enough to
say something about the hours after: so of each kind of node one lives on, whatever is killed around it. Descriptors
are compared at rest: before the load and after it.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

import attrs
import trio

import triort
from tests.access import temporary_access
from tests.chaos.cluster import Cluster, open_cluster
from tests.chaos.kills import Killer, check_whole, tell_load, weights_of
from tests.chaos.load import Load
from tests.chaos.report import Part, show
from tests.chaos.sampling import Sample, Samples, fit

WEIGHTS = "worker=96,leaf=3,template=1"
SPARED = frozenset({"leaf0"})
LONG_LIVED = ("server", "middle", *SPARED)
"""One node of each kind, which nobody kills; all others are below them or beside them, and die."""
WARM_UP_SHARE = 0.2
LIFE_SAMPLES_MIN = 30
GROWTH_MIB_PER_HOUR_MAX = 2.0
JUDGED_MINUTES_MIN = 15.0
"""A slope over less than this, after the warm-up, is reported and not judged. A process that has just started takes
memory for the first time: for code that runs rarely, for tables that have not met their largest load yet. That is up to
0.3 MiB, spread over minutes (seen); what grows by as much as it may not has 0.5 MiB more after this time."""
WORKERS = 3 * 2


def parse(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0, metavar="N", help="at least so long")
    parser.add_argument("--tasks", type=int, default=1_000_000, metavar="N", help="at least so many tasks")
    parser.add_argument("--rate", type=float, default=0.5, metavar="N", help="kills a second (default: %(default)s)")
    parser.add_argument("--victims", default=WEIGHTS, metavar="KIND=WEIGHT,...", help="default: %(default)s")
    parser.add_argument("--every", type=float, default=5.0, metavar="S", help="seconds between two looks at all nodes")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and records, and name it")
    parser.add_argument("--json", action="store_true", help="report as JSON")
    return parser.parse_args(argv)


@attrs.define
class AtRest:
    """Descriptors of all nodes while nothing runs."""

    num_fds: dict[str, int]

    @classmethod
    def look(cls, cluster: Cluster) -> AtRest:
        """Look now."""
        samples = Samples()
        samples.look(cluster)
        return cls({name: found[0].num_fds for (name, _), found in samples.by_process.items()})


async def run_soak(given: argparse.Namespace) -> Part:
    """The whole run."""
    part = Part("soak")
    seconds = 60 * given.minutes
    samples = Samples()
    async with open_cluster(keep=given.keep) as cluster:
        load = Load(given.seed, width=4, rate_max=1.05 * given.tasks / seconds)
        killer = Killer(cluster, random.Random(given.seed), given.rate, weights_of(given.victims), SPARED)
        async with triort.open_client(cluster.address) as client:
            await check_whole(part, client, WORKERS)
            before = AtRest.look(cluster)
            start_s = time.monotonic()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(samples.run, cluster, given.every)
                async with trio.open_nursery() as work:
                    work.start_soon(load.run, client)
                    work.start_soon(killer.run, int(given.rate * seconds))
                    while time.monotonic() - start_s < seconds or load.num_tasks < given.tasks:
                        await trio.sleep(0.5)
                        if load.hangs:
                            break
                    load.stop()
                    work.cancel_scope.deadline = trio.current_time() + load.job_s_max
                nursery.cancel_scope.cancel()
            part.figures["minutes"] = round((time.monotonic() - start_s) / 60, 2)
            await check_whole(part, client, WORKERS)
            after = AtRest.look(cluster)
    tell_load(part, load, cluster)
    part.figures["kills"] = len(killer.kills)
    for name, count in before.num_fds.items():
        part.figures[f"descriptors of {name}"] = f"{count} → {after.num_fds.get(name, 0)}"
        part.check(after.num_fds.get(name) == count, f"{name}: {count} descriptors before, {after.num_fds.get(name)}")
    tell_memory(part, samples)
    return part


def tell_memory(part: Part, samples: Samples) -> None:
    """A slope for each process, judged where it has lived long enough; each of `LONG_LIVED` must have."""
    judged = set()
    for (name, pid), found in samples.by_process.items():
        settled = found[int(WARM_UP_SHARE * len(found)) :]
        if len(settled) < LIFE_SAMPLES_MIN:
            continue
        minutes = (settled[-1].time_s - settled[0].time_s) / 60
        is_judged = minutes >= JUDGED_MINUTES_MIN
        if is_judged:
            judged.add(name)
        for kind in ("rss_mib", "pss_mib"):
            has_grown, text = judge(settled, kind)
            label = f"{name} (pid {pid}, {minutes:.1f} min) {kind[:3]}"
            part.figures[label] = text if is_judged else f"{text}, not judged"
            part.check(not (is_judged and has_grown), f"{label} grows: {text}")
    for name in LONG_LIVED:
        part.check(name in judged, f"{name} has not lived for {JUDGED_MINUTES_MIN:g} min after its warm-up")


def judge(settled: list[Sample], kind: str) -> tuple[bool, str]:
    """Whether a process has grown, and its slope in words."""
    times = [sample.time_s for sample in settled]
    line = fit(times, [getattr(sample, kind) for sample in settled])
    slope, error = 3_600 * line.slope, 3_600 * line.error
    has_grown = slope > GROWTH_MIB_PER_HOUR_MAX and slope > 3 * error
    return has_grown, f"{slope:+.2f} ± {error:.2f} MiB/h at {getattr(settled[-1], kind):.1f} MiB"


def main(argv: list[str]) -> int:
    """Run it and report."""
    given = parse(argv)
    with temporary_access():
        part = trio.run(run_soak, given)
    show([part], as_json=given.json)
    return 0 if part.is_good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
