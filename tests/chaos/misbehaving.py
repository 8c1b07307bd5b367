"""The part with tasks that misbehave: each with what it must end as, within which time, and what it must not harm."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import psutil
import trio

import triort
from tests.chaos import mishaps, plan
from tests.chaos.cluster import Cluster, open_cluster
from tests.chaos.kills import check_whole
from tests.chaos.load import Load
from tests.chaos.records import read_all
from tests.chaos.report import Part
from triort._model.limits import CRASH_LIMIT, GRACE_S

BOUND_S = 60.0
SWIFT_S = 1.0  # generous: what is measured is told as a figure
MEMORY_LIMIT_MIB = 200
Check = Callable[[Part, Cluster, triort.Client], Awaitable[None]]


async def run_misbehaving(seed: int, *, keep: bool = False, rounds: int = 3) -> Part:
    """Run all of them, some side by side, beside a load whose values are compared."""
    part = Part("tasks that misbehave")
    start_s = time.monotonic()
    async with open_cluster(leaf_words=("--memory-limit", f"{MEMORY_LIMIT_MIB}M"), keep=keep) as cluster:
        load = Load(seed, width=1, rate_max=300)
        async with triort.open_client(cluster.address) as client:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(load.run, client)
                for how in mishaps.POISONS:
                    await bounded(part, f"poison by {how}", check_poison, cluster, client, how)
                for number in range(rounds):
                    for how in ("python", "async", "sleep"):
                        check = partial(check_cancelled, may_kill=False)
                        await bounded(part, f"cancel of {how}", check, cluster, client, how, number)
                async with trio.open_nursery() as side_by_side:
                    for how in ("c", "swallows", "sum"):
                        check = partial(check_cancelled, may_kill=True)
                        name = f"cancel of {how}"
                        side_by_side.start_soon(bounded, part, name, check, cluster, client, how, 0)
                await bounded(part, "a task that eats memory", check_memory, cluster, client)
                await bounded(part, "a task that forks", check_forks, cluster, client)
                load.stop()
            await check_whole(part, client, 3 * 2)
    part.add("wrong values", load.wrong)
    part.add("hangs", load.hangs)
    part.add("second outcomes", load.second_outcomes)
    part.add("left over", cluster.leftovers)
    part.add("ended by themselves", cluster.own_ends())
    part.figures["tasks beside"] = load.num_tasks
    part.figures["seconds"] = round(time.monotonic() - start_s, 1)
    return part


async def bounded(
    part: Part,
    name: str,
    check: Callable[..., Awaitable[None]],
    cluster: Cluster,
    client: triort.Client,
    *args: object,
) -> None:
    """Run one check; it is a hang when it takes too long, and an error of it is a failed check."""
    with trio.move_on_after(BOUND_S) as scope:
        try:
            await check(part, cluster, client, *args)
        except Exception as exc:
            part.check(False, f"{name}: {exc!r}")
    if scope.cancelled_caught:
        part.add("hangs", [f"{name} did not end in {BOUND_S:g} s"])
        with trio.move_on_after(SWIFT_S):
            part.add("hangs", [f"the tree at that time: {await client.status()}"])


async def check_poison(part: Part, cluster: Cluster, client: triort.Client, how: str) -> None:
    """A poisonous leaf below a chain of its ancestors: its parent catches `TaskCrashed`, the others know nothing."""
    start_s = time.monotonic()
    try:
        attempts, generations = await client.run(mishaps.ancestors, 1, 4, how)
    except triort.TaskCrashed as exc:  # the client is the ancestor of all
        attempts, generations = exc.crash.attempts, 6
    part.figures[f"poison by {how}, generations from it to who caught it"] = generations
    part.figures[f"poison by {how}, s"] = round(time.monotonic() - start_s, 2)
    part.check(attempts == CRASH_LIMIT, f"poison by {how}: {attempts} attempts, not {CRASH_LIMIT}")
    part.check(generations == 1, f"poison by {how}: caught {generations} generations above it")


async def check_cancelled(
    part: Part, cluster: Cluster, client: triort.Client, how: str, number: int, *, may_kill: bool
) -> None:
    """Cancel what runs for ever: its worker is free soon where it yields, else within the grace time."""
    key = plan.mix(abs(hash(how)) % (1 << 60), number)
    fn = mishaps.endless_async if how == "async" else mishaps.endless
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(client.options(crash_limit=1).run, fn, how, key))
        pid = 0
        while not pid:
            await trio.sleep(0.005)
            pid = next((record.pid for record in read_all(cluster.records) if record.key == key), 0)
        cancelled_s = time.monotonic()
        nursery.cancel_scope.cancel()
    took_s = time.monotonic() - cancelled_s
    part.figures[f"cancel of {how} to its end, ms"] = round(1_000 * took_s, 1)
    if may_kill:
        part.check(took_s < GRACE_S + SWIFT_S, f"cancel of {how} took {took_s:.2f} s")
        if how != "swallows":  # an interrupt may meet it while it handles the one before, and end it
            part.check(pid not in cluster.workers(), f"{how} ended without a kill")
    else:
        part.check(took_s < SWIFT_S, f"cancel of {how} took {took_s:.2f} s")
        part.check(pid in cluster.workers(), f"the worker of {how} was killed")


async def check_memory(part: Part, cluster: Cluster, client: triort.Client) -> None:
    """What eats memory loses its worker at the limit, is tried once more alone, and ends as `OutOfMemory`."""
    start_s = time.monotonic()
    try:
        await client.run(mishaps.eat_memory, 4)
    except triort.OutOfMemory as exc:
        part.check(exc.crash.attempts == 2, f"{exc.crash.attempts} attempts to eat all memory, not 2")
        part.figures["a task that eats memory, MiB at the end"] = round((exc.crash.memory_bytes or 0) / (1 << 20))
    else:
        part.check(False, "all memory was eaten")
    part.figures["a task that eats memory, s"] = round(time.monotonic() - start_s, 2)


async def check_forks(part: Part, cluster: Cluster, client: triort.Client) -> None:
    """What a task has forked dies with its worker at the latest; a worker that dies is seen in spite of it."""
    folder = str(cluster.records)
    worker = await client.run(mishaps.leave_children, folder, False)
    with trio.move_on_after(SWIFT_S):
        while len(forked(cluster)) < 2:
            await trio.sleep(0.01)
    children = forked(cluster)
    part.check(len(children) == 2, f"{len(children)} forked children run, not 2")
    start_s = time.monotonic()
    try:
        await client.options(crash_limit=1).run(mishaps.fork_and_die, folder)
    except triort.TaskCrashed as exc:
        part.check(exc.crash.exit_code == 9, f"fork_and_die: {exc}")
    else:
        part.check(False, "fork_and_die did not raise TaskCrashed")
    part.check(time.monotonic() - start_s < SWIFT_S, "the end of a worker with forks was seen late")
    if worker in cluster.workers():
        psutil.Process(worker).kill()
    with trio.move_on_after(SWIFT_S):
        while forked(cluster):
            await trio.sleep(0.01)
    part.check(not forked(cluster), f"forked children outlive their workers: {forked(cluster)}")


def forked(cluster: Cluster) -> list[int]:
    """Children of tasks that still run."""
    pids = [int(path.name.removeprefix("child-")) for path in Path(cluster.records).glob("child-*")]
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
