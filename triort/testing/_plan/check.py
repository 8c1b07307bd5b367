"""Whether a plan makes sense: what types alone do not say.

A plan may come from a file that somebody has edited, so each error is one line that names the place and what may stand
there. A fault whose target is not in the tree is no error (workers get new numbers all the time); one whose target can
be no such thing is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from triort._model.errors import UsageError
from triort.testing._plan.check_faults import fault_problems
from triort.testing._plan.names import is_client, is_job, is_task
from triort.testing._plan.plan import LATENCIES, PLAN_VERSION, Batch, Compute, Job, Listen, Plan, Say, Task

TASKS_MAX = 2_000_000
NODES_MAX = 1_000_000
FAULTS_MAX = 100_000
DEPTH_MAX = 60
LEVELS_MAX = 16
COUNT_MAX = 1_000_000
SECONDS_MAX = 1e7

HOWS = ("map", "next", "as_completed", "submit", "nursery")
FUNCTIONS = ("f", "g", "h")
SCHEDULES = ("random", "fifo", "pct", "script")


def check_plan(plan: Plan, source: str = "the plan") -> None:
    """Raise `UsageError`, one line that begins with ``source``, about the first thing that makes no sense."""
    for problem in _problems(plan):
        raise UsageError(f"{source}: {problem}")


def _problems(plan: Plan) -> Iterable[str]:
    yield from _setting_problems(plan)
    names: set[str] = set()
    for job in plan.jobs:
        yield from _job_problems(job, names)
    clients = list(dict.fromkeys(job.client for job in plan.jobs))
    if len(plan.faults) > FAULTS_MAX:
        yield f"{len(plan.faults)} faults are too many; at most {FAULTS_MAX}"
    for position, fault in enumerate(plan.faults):
        for problem in fault_problems(fault, clients):
            yield f"fault {position} ({fault.kind} at {fault.at_s} s): {problem}"


def _setting_problems(plan: Plan) -> Iterable[str]:
    if plan.version != PLAN_VERSION:
        yield f"it is of plan version {plan.version}, and this triort reads version {PLAN_VERSION}"
    if not 0 <= plan.seed < 2**63:
        yield f"the seed is a whole number from 0 to 2**63 - 1, not {plan.seed}"
    yield from _tree_problems(plan.tree)
    for name in plan.latency:
        if name not in LATENCIES:
            yield f"there is no latency class {name!r}; there are {', '.join(LATENCIES)}"
    if plan.schedule not in SCHEDULES:
        yield f"there is no schedule {plan.schedule!r}; there are {', '.join(SCHEDULES)}"
    for number, order in plan.script.items():
        if number < 0 or len(order) < 2 or sorted(order) != list(range(len(order))):
            yield f"script: batch {number} has {order}, which is no new order of 0 to {max(len(order) - 1, 1)}"
    for point, often in plan.buggify.items():
        if not 0.0 <= often <= 1.0:
            yield f"buggify point {point!r} goes its rare way with a probability from 0 to 1, not {often}"
    if not 0.0 < plan.heal_s <= SECONDS_MAX:
        yield f"heal_s is a positive number of seconds up to {SECONDS_MAX:g}, not {plan.heal_s}"


def _tree_problems(tree: list[int]) -> Iterable[str]:
    if not tree or min(tree) < 1:
        yield f"the tree is a list of fan-outs of at least 1, workers last, not {tree}"
    elif len(tree) > LEVELS_MAX:
        yield f"the tree has {len(tree)} levels; at most {LEVELS_MAX}"
    elif (nodes := num_nodes(tree)) > NODES_MAX:
        yield f"the tree {tree} has {nodes} nodes; at most {NODES_MAX}"


def num_nodes(tree: list[int]) -> int:
    """Managers and workers of a tree, without the server."""
    return sum(math.prod(tree[:level]) for level in range(1, len(tree) + 1))


def _job_problems(job: Job, names: set[str]) -> Iterable[str]:
    if not is_job(job.name):
        yield f"a job is called j0, j1 and so on, not {job.name!r}"
    if job.name in names:
        yield f"two jobs are called {job.name}"
    names.add(job.name)
    if not is_client(job.client):
        yield f"job {job.name}: unknown client {job.client!r}; clients are called c0, c1 and so on"
    yield from _seconds_problem(f"job {job.name}: at_s", job.at_s)
    yield from _option_problems(f"job {job.name}", job)
    if not job.items:
        yield f"job {job.name} has no items"
    for item in job.items:
        yield from _task_problems(item, job.name, 0, 1, names)


def _task_problems(task: Task, above: str, talk: int, depth: int, names: set[str]) -> Iterable[str]:
    where = f"task {task.name}"
    if not (is_task(task.name) and task.name.startswith(above + ".")):
        yield f"a task that {above} submits is called {above}. and numbers with dots between, not {task.name!r}"
    if task.name in names:
        yield f"two tasks are called {task.name}"
    names.add(task.name)
    if len(names) > TASKS_MAX:
        yield f"there are more than {TASKS_MAX} tasks"
    if depth > DEPTH_MAX:
        yield f"{where} is nested too deeply; at most {DEPTH_MAX} tasks lie one below the other"
        return
    if task.function not in FUNCTIONS:
        yield f"{where}: unknown function {task.function!r}; there are {', '.join(FUNCTIONS)}"
    for field, number in (("fails", task.fails), ("poison", task.poison)):
        if not -1 <= number <= COUNT_MAX:
            yield f"{where}: {field} is a number of tries up to {COUNT_MAX}, or -1 for all, not {number}"
    for position, step in enumerate(task.steps):
        here = f"{where}, step {position}"
        match step:
            case Compute():
                yield from _seconds_problem(f"{here}: seconds", step.seconds)
            case Say():
                yield from _count_problem(f"{here}: lines", step.lines)
            case Listen():
                yield from _listen_problems(here, step.messages, talk, above)
            case Batch():
                yield from _batch_problems(here, step)
                for child in step.children:
                    yield from _task_problems(child, task.name, step.talk, depth + 1, names)


def _batch_problems(where: str, batch: Batch) -> Iterable[str]:
    if not batch.children:
        yield f"{where}: a batch has at least one child"
    if batch.how not in HOWS:
        yield f"{where}: how is one of {', '.join(HOWS)}, not {batch.how!r}"
    if batch.cancel_after_s is not None:
        yield from _seconds_problem(f"{where}: cancel_after_s", batch.cancel_after_s)
    yield from _count_problem(f"{where}: talk", batch.talk)
    yield from _option_problems(where, batch)


def _option_problems(where: str, options: Batch | Job) -> Iterable[str]:
    yield from _count_problem(f"{where}: retries", options.retries)
    timeout_s = options.timeout_s
    if timeout_s is not None and not 0.0 < timeout_s <= SECONDS_MAX:
        yield f"{where}: timeout_s is a positive number of seconds up to {SECONDS_MAX:g}, not {timeout_s}"
    if options.crash_limit < 1:
        yield f"{where}: crash_limit is at least 1, not {options.crash_limit}"


def _listen_problems(where: str, messages: int, talk: int, above: str) -> Iterable[str]:
    yield from _count_problem(f"{where}: messages", messages)
    if messages > talk:
        yield f"{where} waits for ever: it listens for {messages} messages, and {above} says {talk} to it"


def _seconds_problem(where: str, seconds: float) -> Iterable[str]:
    if not 0.0 <= seconds <= SECONDS_MAX:  # nor is it true of what is no number
        yield f"{where} is a number of seconds from 0 to {SECONDS_MAX:g}, not {seconds}"


def _count_problem(where: str, count: int) -> Iterable[str]:
    if not 0 <= count <= COUNT_MAX:
        yield f"{where} is a number from 0 to {COUNT_MAX}, not {count}"
