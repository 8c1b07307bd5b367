"""Loads by hand: what random plans come to seldom, because it is wide, deep, or needs everything at one moment.

Tasks are written without names and named by their places. What is left to the seed (latencies, the schedule, times) is
drawn by name, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from triort._model.limits import GRACE_S, JOB_CRASHES_MAX
from triort.testing._plan.draws import Draws
from triort.testing._plan.generate import HEAL_S, SCHEDULES
from triort.testing._plan.names import managers_of
from triort.testing._plan.plan import PLAN_VERSION, Batch, Compute, Fault, FaultKind, Job, Listen, Plan, Say, Task
from triort.testing._plan.trees import draw_latency

Step = Compute | Listen | Say | Batch

BUGGIFY = (
    "a worker keeps nothing for itself",
    "any idle employee first",
    "batches of one",
    "slow replacements",
    "tiny windows",
    "what brings work is queued, too",
)
"""All points of the product at which it may go a rare way; `test_marks` holds that there are no others."""

# -- by hand ---------------------------------------------------------------------------------------------------------


def task(*steps: Step, **options: Any) -> Task:
    """A task without a name, which `job` gives it."""
    return Task("", list(steps), **options)


def leaf(seconds: float = 1e-3, **options: Any) -> Task:
    """A task that only computes."""
    return task(Compute(seconds), **options)


def parent(children: Sequence[Task], seconds: float = 1e-3, *, is_async: bool = True, **options: Any) -> Task:
    """A task with one batch, which has these options, and a little computing before and behind."""
    return task(Compute(seconds), Batch(list(children), **options), Compute(seconds), is_async=is_async)


def job(name: str, items: Iterable[Task], **options: Any) -> Job:
    """A job; its tasks are named by their places."""
    return Job(name, [_named(item, f"{name}.{index}") for index, item in enumerate(items)], **options)


def _named(each: Task, name: str) -> Task:
    steps: list[Step] = []
    for number, step in enumerate(each.steps):
        if isinstance(step, Batch):
            children = [_named(child, f"{name}.{number}.{index}") for index, child in enumerate(step.children)]
            step = msgspec.structs.replace(step, children=children)
        steps.append(step)
    return msgspec.structs.replace(each, name=name, steps=steps)


def fault(kind: FaultKind | str, target: str, at_s: float = 0.0, **options: Any) -> Fault:
    """A fault."""
    return Fault(round(at_s, 6), FaultKind(kind), target, **options)


def plan(
    seed: int, tree: Sequence[int], jobs: Sequence[Job], faults: Sequence[Fault] = (), *,
    latency: Sequence[str] | None = None, heal_s: float = HEAL_S,
) -> Plan:  # fmt: skip
    """A plan of these, whose latencies and schedule are drawn by the seed."""
    draws = Draws(seed)
    classes = draw_latency(draws, len(tree)) if latency is None else list(latency)
    schedule = draws.choice(SCHEDULES, "schedule")
    in_order = sorted(faults, key=lambda each: each.at_s)
    return Plan(PLAN_VERSION, seed, list(tree), list(jobs), in_order, classes, schedule=schedule, heal_s=heal_s)


def with_faults(before: Plan, *faults: Fault) -> Plan:
    """The same plan with these faults, too."""
    return msgspec.structs.replace(before, faults=sorted([*before.faults, *faults], key=lambda each: each.at_s))


# -- loads -----------------------------------------------------------------------------------------------------------


def storm(seed: int, tree: Sequence[int], *, num_parents: int, num_children: int) -> Plan:
    """Five jobs of five clients, whose parents map children; all jobs are cancelled at one moment, in which results
    come as well, and every fourth parent cancels its children itself."""
    draws = Draws(seed)
    jobs = []
    for number in range(5):
        parents = []
        for index in range(num_parents):
            names = ("storm", number, index)
            children = [leaf(draws.heavy_tail(4e-3, 0.2, *names, child)) for child in range(num_children)]
            cancel_after_s = draws.uniform(0.0, 0.02, *names, "cancel") if draws.chance(0.25, *names) else None
            parents.append(parent(children, catch=cancel_after_s is not None, cancel_after_s=cancel_after_s))
        jobs.append(job(f"j{number}", parents, client=f"c{number}"))
    at_s = draws.uniform(0.005, 0.08, "storm", "at")
    cancels = [fault(FaultKind.CANCEL_JOB, each.name, at_s) for each in jobs]
    return plan(seed, tree, jobs, cancels, latency=[draws.choice(("memory", "local", "lan"), "storm", "latency")])


def wide_tree(seed: int, tree: Sequence[int], *, num_items: int, num_children: int) -> Plan:
    """Items that each map children, on a tree with many more workers than it needs at its end."""
    items = [
        task(Compute(0.05), Batch([leaf(0.05) for _ in range(num_children)]), Compute(0.001)) for _ in range(num_items)
    ]
    return plan(seed, tree, [job("j0", items)], latency=["lan"])


def chain(seed: int, tree: Sequence[int], depth: int) -> Plan:
    """Tasks each of which has one child, so many below each other; some are sync."""
    draws = Draws(seed)
    link = leaf(1e-4)
    for number in range(depth - 1):
        link = parent([link], 1e-5, is_async=draws.chance(0.7, "chain", number))
    return plan(seed, tree, [job("j0", [link])])


def flat(seed: int, tree: Sequence[int], num_items: int, mean_s: float = 1e-3) -> Plan:
    """One job of many items, mostly short and seldom very long."""
    draws = Draws(seed)
    items = [leaf(round(draws.heavy_tail(mean_s, 1000 * mean_s, "flat", number), 7)) for number in range(num_items)]
    return plan(seed, tree, [job("j0", items)])


def crowd(seed: int, tree: Sequence[int], num_clients: int) -> Plan:
    """Clients that come one after the other, each with a job; some of them go before it has ended."""
    draws = Draws(seed)
    jobs, faults = [], []
    for number in range(num_clients):
        client, names = f"c{number}", ("crowd", number)
        at_s = round(draws.uniform(0.0, 0.05, *names, "at"), 6)
        parents = [
            parent([leaf(draws.exponential(2e-3, *names, item, child)) for child in range(3)]) for item in range(2)
        ]
        jobs.append(job(f"j{number}", parents, client=client, at_s=at_s))
        if draws.chance(0.4, *names, "dies"):
            faults.append(fault(FaultKind.CLIENT_DEATH, client, at_s + draws.uniform(0.0, 0.02, *names, "later")))
    return plan(seed, tree, jobs, faults)


def poisoned(seed: int, tree: Sequence[int], *, is_forever: bool = False) -> Plan:
    """Parents with a child that kills its worker, once or twice or for ever, where both may share one worker."""
    draws = Draws(seed)
    items = []
    for number in range(3):
        names = ("poisoned", number)
        poison = -1 if is_forever else draws.between(1, 2, *names, "tries")
        is_async = draws.chance(0.5, *names, "async")
        children = [leaf(2e-3, poison=poison if child == 1 else 0, is_async=is_async) for child in range(3)]
        items.append(parent(children, is_async=draws.chance(0.5, *names, "above"), crash_limit=2, catch=True))
    made = plan(seed, tree, [job("j0", items, crash_limit=draws.between(1, 3, "poisoned", "limit"))])
    return msgspec.structs.replace(made, heal_s=200.0)


def talkative(seed: int, tree: Sequence[int]) -> Plan:
    """Parents that send messages to children which wait for them, and children that print."""
    draws = Draws(seed)
    items = []
    for number in range(4):
        messages = draws.between(1, 5, "talkative", number)
        children = [
            task(Listen(min(child, messages)), Compute(5e-4), Say(child), Listen(messages), is_async=child % 2 == 0)
            for child in range(4)
        ]
        items.append(parent(children, talk=messages, shared=True, is_async=number % 2 == 0))
    return plan(seed, tree, [job("j0", items)])


def behind(seed: int, tree: Sequence[int]) -> Plan:
    """Parents whose children are short but for a few, which hold up those behind them; the parents cancel them all
    while these are on their way back."""
    draws = Draws(seed)
    items = []
    for number in range(4):
        names = ("behind", number)
        children = [
            leaf(0.2 if draws.chance(0.1, *names, child, "long") else 2e-4, is_async=draws.chance(0.5, *names, child))
            for child in range(40)
        ]
        cancel_after_s = round(draws.uniform(0.0, 0.06, *names, "cancel"), 6)
        items.append(parent(children, 1e-4, catch=True, cancel_after_s=cancel_after_s))
    return plan(seed, tree, [job("j0", items)], latency=["lan"])


def tree_behind(seed: int, tree: Sequence[int]) -> Plan:
    """A task with many short children, which goes on with a tree of short ones that submit each other."""
    draws = Draws(seed)

    def below(depth: int, *names: str | int) -> Task:
        if not depth:
            return leaf(draws.exponential(5e-5, *names))
        return parent([below(depth - 1, *names, child) for child in range(2)], 2e-5)

    root = task(Batch([leaf(3e-6) for _ in range(300)], how="submit"), Compute(0.006), Batch([below(6, "tree")]))
    return plan(seed, tree, [job("j0", [root])])


def alternating(seed: int, tree: Sequence[int]) -> Plan:
    """Parents that cancel children of both forms: a cancel that a sync one has kept its worker from reading meets the
    first step of the async one behind it."""
    draws = Draws(seed)
    items = []
    for number in range(3):
        names = ("alternating", number)
        children = [leaf(2e-4, is_async=draws.chance(0.5, *names, child)) for child in range(24)]
        cancel_after_s = round(draws.uniform(0.0, 5e-3, *names, "cancel"), 6)
        items.append(parent(children, 1e-4, catch=True, cancel_after_s=cancel_after_s))
    return plan(seed, tree, [job("j0", items)])


def stubborn(seed: int, tree: Sequence[int]) -> Plan:
    """Parents that cancel children which ignore it, some of them for longer than the grace time."""
    draws = Draws(seed)
    items = []
    for number in range(3):
        names = ("stubborn", number)
        long_s = round(draws.uniform(0.5, 2.0, *names, "seconds") * GRACE_S, 3)
        children = [
            leaf(long_s if child else 1e-3, stubborn=True, is_async=draws.chance(0.5, *names, child))
            for child in range(2)
        ]
        cancel_after_s = round(draws.uniform(0.0, 0.01, *names, "cancel"), 6)
        items.append(parent(children, catch=True, cancel_after_s=cancel_after_s))
    return msgspec.structs.replace(plan(seed, tree, [job("j0", items)]), heal_s=200.0)


def costly(seed: int, tree: Sequence[int]) -> Plan:
    """A task that catches the crash of one child after the other, many more than its job may cost."""
    draws = Draws(seed)
    batches = []
    for number in range(JOB_CRASHES_MAX // 2):
        is_async = draws.chance(0.5, "costly", number)
        batches.append(Batch([leaf(2e-3, poison=-1, is_async=is_async)], catch=True, crash_limit=3))
    items = [task(*batches, is_async=draws.chance(0.5, "costly", "above"))]
    return msgspec.structs.replace(plan(seed, tree, [job("j0", items, crash_limit=200)]), heal_s=600.0)


def held_up(seed: int, tree: Sequence[int]) -> Plan:
    """More items that kill their worker once, and then compute for long, than there may be workers for suspects."""
    draws = Draws(seed)
    items = [leaf(round(draws.uniform(25.0, 30.0, "held up", number), 3), poison=1) for number in range(20)]
    return msgspec.structs.replace(plan(seed, tree, [job("j0", items)]), heal_s=600.0)


def newborn(seed: int, tree: Sequence[int]) -> Plan:
    """Workers that join and end within the time that it takes to start them, or soon after it."""
    draws = Draws(seed)
    faults = []
    for boss in managers_of(tree):
        for number in range(3):
            at_s = 0.005 + 0.02 * number
            end_s = at_s + draws.uniform(0.0, 0.06, "newborn", boss, number)
            faults.append(fault(FaultKind.JOIN_WORKER, boss, at_s))
            faults.append(fault(FaultKind.CRASH_WORKER, f"{boss}.w{tree[-1] + 1 + number}", end_s))
    return with_faults(flat(seed, tree, 40), *faults)


def unlucky(seed: int, tree: Sequence[int]) -> Plan:
    """Workers that crash, and whose replacements are cut off while they start."""
    draws = Draws(seed)
    faults = []
    for boss in managers_of(tree):
        faults.append(fault(FaultKind.CRASH_WORKER, f"{boss}.w1", 0.003))
        at_s = 0.003
        for number in range(3):
            at_s += draws.uniform(0.002, 0.03, "unlucky", boss, number)
            faults.append(fault(FaultKind.CUT, f"{boss}.w{tree[-1] + 1 + number}", at_s))
    return with_faults(flat(seed, tree, 40), *faults)
