"""Random jobs: how many, whose and when, and the trees of their tasks.

The number of tasks is given. It is shared out from above to below: over jobs, over their items, over the children of
each task. So what a task looks like depends on its name and the size of its own part, and on nothing beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
import msgspec

from triort.testing._plan.choices import Choices, may_outlast_grace
from triort.testing._plan.plan import Batch, Compute, Job, Listen, Say, Task

JOBS_MAX = 4
ITEMS_MAX = 6
CLIENTS_MAX = 3
DEPTH_MAX = 5
WIDTH_MAX = 10
BATCHES_MAX = 3
RETRIES_MAX = 3
MORTAL = 0.15
"""How many of those tasks that may do the worst do it."""

Step = Compute | Listen | Say | Batch


@attrs.frozen
class Setting:
    """What a task knows of the batch or job that it is part of."""

    is_mortal: bool
    """It may kill its worker for ever, or outlast the grace time, so its crash limit is small."""
    talk: int = 0
    retries: int = 0
    is_hopeless: bool = False


def draw_jobs(choices: Choices, size: int) -> list[Job]:
    """Jobs of ``size`` tasks in all, submitted at once."""
    draws = choices.draws
    count = min(draws.between(1, JOBS_MAX, "jobs"), size) if choices.is_on("jobs") else 1
    clients = draws.between(1, CLIENTS_MAX, "clients") if choices.is_on("clients") else 1
    return [
        _job(choices, f"j{number}", share, f"c{draws.integer(clients, 'client', number)}")
        for number, share in enumerate(shares(choices, size, count, "jobs"))
    ]


def draw_times(choices: Choices, jobs: Sequence[Job], span_s: float) -> list[Job]:
    """The same jobs, some of them submitted later, within ``span_s``."""
    return [_later(choices, job, span_s) for job in jobs]


def _later(choices: Choices, job: Job, span_s: float) -> Job:
    draws = choices.draws
    if not choices.is_on("later") or job.name == "j0" or draws.chance(0.5, job.name, "now"):
        return job
    return msgspec.structs.replace(job, at_s=round(draws.uniform(0.0, span_s, job.name, "at"), 6))


def _job(choices: Choices, name: str, size: int, client: str) -> Job:
    draws = choices.draws
    may_kill = choices.is_on("poison") or choices.is_on("stubborn")
    setting = Setting(is_mortal=may_kill and draws.chance(0.4, name, "mortal"))
    count = min(draws.between(1, ITEMS_MAX, name, "items"), size) if choices.is_on("items") else 1
    options = choices.options(name, 1, is_mortal=setting.is_mortal)
    inner = attrs.evolve(setting, retries=options.retries, is_hopeless=choices.is_hopeless(name))
    depth = draws.between(1, DEPTH_MAX, name, "depth")
    items = [
        _grow(choices, f"{name}.{number}", share, depth, inner)
        for number, share in enumerate(shares(choices, size, count, name, "items"))
    ]
    return Job(
        name, items, client, 0.0, options.priority, options.retries, choices.timeout(name, items), options.crash_limit,
        options.at_most_once,
    )  # fmt: skip


def _grow(choices: Choices, name: str, size: int, depth: int, setting: Setting) -> Task:
    """A task with ``size - 1`` tasks below it, at most ``depth`` levels deep. Its batches stand at its odd steps, with
    one step before, between and after them, whatever that is; so children keep their names when it is another."""
    groups = _groups(choices, name, size - 1, depth) if size > 1 else []
    steps: list[Step] = _between(choices, name, len(groups) + 1, setting)
    for number, sizes in enumerate(groups):
        steps.insert(2 * number + 1, _batch(choices, f"{name}.{2 * number + 1}", sizes, depth - 1, setting))
    is_async = not choices.some("sync", name)
    task = Task(name, steps, is_async, choices.function(name), choices.fails(name, setting.retries))
    return _harmful(choices, task, setting)


def _between(choices: Choices, name: str, count: int, setting: Setting) -> list[Step]:
    """The steps that are no batches."""
    draws = choices.draws
    steps: list[Step] = [Compute(choices.seconds(name, place)) for place in range(count)]
    if choices.some("say", name):
        steps[draws.integer(count, name, "say", "place")] = Say(draws.between(1, 4, name, "lines"))
    if setting.talk and draws.chance(0.8, name, "listens"):
        messages = draws.between(1, setting.talk, name, "messages")
        steps[draws.integer(count, name, "listen", "place")] = Listen(messages)
    if setting.is_hopeless and name.endswith(".0"):
        steps[0] = Compute(choices.long_seconds(name))
    return steps


def _harmful(choices: Choices, task: Task, setting: Setting) -> Task:
    name, draws = task.name, choices.draws
    if setting.is_mortal and choices.is_on("poison") and draws.chance(MORTAL, name, "forever"):
        return msgspec.structs.replace(task, poison=-1, fails=0)
    if choices.few("poison", name):
        return msgspec.structs.replace(task, poison=draws.between(1, 2, name, "poison", "tries"), fails=0)
    if any(isinstance(step, Batch | Listen) for step in task.steps):
        return task
    if setting.is_mortal and choices.is_on("stubborn") and draws.chance(MORTAL, name, "outlasts"):
        steps = [*task.steps, Compute(choices.outlasting_seconds(name))]
        return msgspec.structs.replace(task, stubborn=True, steps=steps)
    return msgspec.structs.replace(task, stubborn=choices.few("stubborn", name) and not may_outlast_grace(task))


def _batch(choices: Choices, name: str, sizes: Sequence[int], depth: int, setting: Setting) -> Batch:
    retries_max = RETRIES_MAX if max(sizes) == 1 else 1  # those of nested batches multiply
    is_mortal = setting.is_mortal and choices.is_on("deadly")
    options = choices.options(name, retries_max, is_mortal=is_mortal)
    talk = choices.talk(name)
    inner = Setting(is_mortal, talk, options.retries, choices.is_hopeless(name))
    children = [_grow(choices, f"{name}.{number}", size, depth, inner) for number, size in enumerate(sizes)]
    ways = choices.ways(name)
    return Batch(
        children, ways.how, ways.wait, ways.catch, ways.cancel_after_s, talk, choices.some("shared", name),
        options.priority, options.retries, choices.timeout(name, children), options.crash_limit, options.at_most_once,
    )  # fmt: skip


def _groups(choices: Choices, name: str, size: int, depth: int) -> list[list[int]]:
    """How many tasks there are in each batch of a task: for each child, itself and all below it."""
    draws = choices.draws
    width = size if depth <= 1 else min(draws.between(1, choices.width, name, "width"), size)
    sizes = shares(choices, size, width, name, "children")
    count = min(draws.between(1, BATCHES_MAX, name, "batches"), width)
    groups, first = [], 0
    for share in shares(choices, width, count, name, "batches"):
        groups.append(sizes[first : first + share])
        first += share
    return groups


def shares(choices: Choices, size: int, count: int, *names: str) -> list[int]:
    """``size`` in ``count`` parts of at least 1, by random weights."""
    if count == 1 or size == count:
        return [size // count] * count
    units = [choices.draws.unit(*names, "share", number) for number in range(count)]
    weights = [unit * unit + 1e-9 for unit in units]
    spare, total = size - count, math.fsum(weights)
    parts, weight, given = [], 0.0, 0
    for each in weights:
        weight += each
        upto = round(spare * weight / total)
        parts.append(1 + upto - given)
        given = upto
    return parts
