"""The parts with links cut and processes stopped: short of the session time nothing is lost, past it nothing hangs.

Session times are those of `SHORT`, so that a run takes minutes; with ``--real-times`` they are those of the product.
In a network namespace of its own, where the machine allows one (``unshare -rn``), the loopback device is taken down
under all links at once, and the packets of a single port are dropped by a rule.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import attrs
import trio

import triort
from tests.chaos.analysis import gather, tell
from tests.chaos.cluster import Cluster, open_cluster
from tests.chaos.kills import check_whole, tell_load
from tests.chaos.load import Load
from tests.chaos.node import SHORT
from tests.chaos.nodes import ROOT
from tests.chaos.report import Part
from triort._model import limits

CLIENT_S_MAX = 15.0  # the client, in this process, has the product's times: it must outlive all cuts
INSIDE = "TRIORT_CHAOS_NAMESPACE"
PAUSE_S = 1.0
Cut = Callable[["Cutter", float], Awaitable[str]]


@attrs.define(eq=False)
class Cutter:
    """Cuts by chance, and heals."""

    cluster: Cluster
    chance: random.Random
    stop_s: float
    fence_s: float

    def short_s(self) -> float:
        """A time that a session outlives."""
        return self.chance.uniform(0.1, 0.6) * self.stop_s

    def long_s(self) -> float:
        """A time that none does."""
        return self.fence_s + self.chance.uniform(0.5, 2.0)


async def stop_manager(cutter: Cutter, seconds: float) -> str:
    """SIGSTOP a manager for a while."""
    node = cutter.chance.choice(cutter.cluster.managers)
    node.signal(signal.SIGSTOP)
    await trio.sleep(seconds)
    node.signal(signal.SIGCONT)
    return node.name


async def break_link(cutter: Cutter, seconds: float) -> str:
    """Abort the connection to a manager."""
    name = cutter.chance.choice(list(cutter.cluster.proxies))
    cutter.cluster.proxies[name].break_all()
    await trio.sleep(cutter.chance.uniform(0.05, 0.3))
    return name


async def silence_link(cutter: Cutter, seconds: float) -> str:
    """Let the link to a manager fall silent, one way or both."""
    name = cutter.chance.choice(list(cutter.cluster.proxies))
    ways = cutter.chance.choice([(True, True), (True, False), (False, True)])
    cutter.cluster.proxies[name].silence(down=ways[0], up=ways[1])
    await trio.sleep(seconds)
    cutter.cluster.proxies[name].heal()
    return name


async def lose_loopback(cutter: Cutter, seconds: float) -> str:
    """Take the loopback device of this namespace down for a while, and all links with it, the client's, too."""
    ip("link", "set", "lo", "down")
    await trio.sleep(min(seconds, CLIENT_S_MAX))
    ip("link", "set", "lo", "up")
    return "lo"


async def drop_port(cutter: Cutter, seconds: float) -> str:
    """Drop all packets from and to the port of one manager."""
    node = cutter.chance.choice(cutter.cluster.managers)
    rules = [("ipproto", "tcp", way, str(node.port), "blackhole") for way in ("dport", "sport")]
    for rule in rules:
        ip("rule", "add", "pref", "50", *rule)
    await trio.sleep(seconds)
    for rule in rules:
        ip("rule", "del", "pref", "50", *rule)
    return node.name


def ip(*words: str) -> None:
    """Run the command ``ip`` in this namespace."""
    subprocess.run(["ip", *words], check=True, stdin=subprocess.DEVNULL)


async def run_cuts(
    name: str,
    cuts: tuple[Cut, ...],
    rounds: int,
    seed: int,
    *,
    long_too: bool = True,
    real_times: bool = False,
    keep: bool = False,
) -> Part:
    """Cut so many times, every other time for longer than a session lives, under jobs whose values are compared."""
    part = Part(name)
    times = {key: getattr(limits, key) for key in SHORT} if real_times else SHORT
    start_s = time.monotonic()
    proxied = any(cut in (break_link, silence_link) for cut in cuts)
    async with open_cluster(limits=times, proxied=proxied, keep=keep) as cluster:
        load = Load(seed, width=2, job_s_max=60.0 + 10 * times["FENCE_S"])
        cutter = Cutter(cluster, random.Random(seed), times["STOP_S"], times["FENCE_S"])
        async with triort.open_client(cluster.address) as client:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(load.run, client)
                for number in range(rounds):
                    is_long = long_too and number % 2 == 1
                    cut = cuts[(number // 2 if long_too else number) % len(cuts)]
                    await trio.sleep(PAUSE_S)
                    where = await cut(cutter, cutter.long_s() if is_long else cutter.short_s())
                    print(f"  {cut.__name__} {where} {'long' if is_long else 'short'}", file=sys.stderr, flush=True)
                load.stop()
            await check_whole(part, client, 3 * 2)
        runs = gather(cluster.records)
    part.figures["cuts"] = rounds
    tell_load(part, load, cluster)
    tell(part, runs, [])
    part.figures["seconds"] = round(time.monotonic() - start_s, 1)
    return part


async def run_in_namespace(rounds: int, seed: int, *, real_times: bool = False) -> Part:
    """The cuts of a network namespace, in one; a part without figures where there is none."""
    part = Part("cuts in a network namespace")
    command = [sys.executable, "-m", "tests.chaos.cuts", str(rounds), str(seed), str(int(real_times))]
    try:
        subprocess.run(["unshare", "-rn", "ip", "link", "set", "lo", "up"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as exc:
        part.figures["not run, there are no namespaces here"] = str(exc)
        return part
    environment = {**os.environ, INSIDE: "1"}
    done = await trio.run_process(
        ["unshare", "-rn", *command], cwd=ROOT, env=environment, capture_stdout=True, check=False
    )
    try:
        told = json.loads(done.stdout)
    except ValueError:
        part.check(False, f"the run inside ended with code {done.returncode}")
        return part
    return Part(part.name, told["faults"], told["figures"])


def main() -> None:
    """Inside the namespace: run the cuts, print the part as JSON."""
    assert os.environ.get(INSIDE) == "1", "this takes down the loopback device: only in a namespace of its own"
    ip("link", "set", "lo", "up")
    ip("rule", "add", "pref", "100", "lookup", "local")  # so that a rule can come before the local table
    ip("rule", "del", "pref", "0")
    rounds, seed, real_times = map(int, sys.argv[1:])
    part = trio.run(run_cuts_inside, rounds, seed, bool(real_times))
    print(json.dumps(attrs.asdict(part)))


async def run_cuts_inside(rounds: int, seed: int, real_times: bool) -> Part:
    """What only a namespace can do."""
    return await run_cuts("inside", (lose_loopback, drop_port), rounds, seed, real_times=real_times)


if __name__ == "__main__":
    main()
