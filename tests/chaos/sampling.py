"""Memory and descriptors of node processes over time, and the line through them by least squares."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import attrs
import trio

from tests.chaos.cluster import Cluster
from tests.chaos.nodes import template_of

MIB = 1 << 20


@attrs.frozen
class Sample:
    """One look at one process."""

    time_s: float
    rss_mib: float
    pss_mib: float
    num_fds: int


@attrs.define
class Samples:
    """All looks, by node name and pid: what a process is called changes with no restart, its pid does."""

    by_process: dict[tuple[str, int], list[Sample]] = attrs.Factory(dict)

    async def run(self, cluster: Cluster, every_s: float) -> None:
        """Look at all nodes and templates again and again, until cancelled."""
        while True:
            self.look(cluster)
            await trio.sleep(every_s)

    def look(self, cluster: Cluster) -> None:
        """One look at all of them."""
        pids = {name: node.pid for name, node in cluster.nodes.items()}
        pids |= {f"template of {leaf.name}": template_of(leaf) for leaf in cluster.leaves}
        for name, pid in pids.items():
            sample = look_at(pid) if pid else None
            if sample is not None:
                self.by_process.setdefault((name, pid), []).append(sample)


def look_at(pid: int) -> Sample | None:
    """A sample of a process; None if it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        num_fds = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None
    sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in text.splitlines()[1:]}
    if "Rss" not in sizes:
        return None
    return Sample(time.monotonic(), sizes["Rss"], sizes["Pss"], num_fds)


@attrs.frozen
class Line:
    """A line through samples: the slope a second, and its standard error."""

    slope: float
    error: float


def fit(times: Sequence[float], values: Sequence[float]) -> Line:
    """Least squares; at least three points."""
    count = len(times)
    mean_t, mean_v = sum(times) / count, sum(values) / count
    spread = sum((t - mean_t) ** 2 for t in times)
    slope = sum((t - mean_t) * (v - mean_v) for t, v in zip(times, values, strict=True)) / spread
    residues = [v - mean_v - slope * (t - mean_t) for t, v in zip(times, values, strict=True)]
    return Line(slope, (sum(r * r for r in residues) / (count - 2) / spread) ** 0.5)
