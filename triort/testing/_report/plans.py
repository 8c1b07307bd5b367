"""A plan in a compact form that can be read: tree, latencies, jobs and tasks as an indented tree, faults by time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from triort.testing._plan.plan import Batch, Job, Plan, Task
from triort.testing._report.sentences import fault_line, options_of, step_words, task_words
from triort.testing._report.words import counted, exact, one_line, span

LINES_MAX = 120
"""A plan has no more lines of tasks than this; the file of the plan has all."""
SCRIPT_MAX = 5
"""So many deviations of the schedule are shown."""
NAME = "\0"
"""Stands for the name of a task while its lines are compared with those of its siblings."""


def show_plan(plan: Plan) -> str:
    """The plan in lines."""
    tasks = [line for job in plan.jobs for line in job_lines(job)]
    if len(tasks) > LINES_MAX:
        tasks = [*tasks[:LINES_MAX], f"… and {counted(len(tasks) - LINES_MAX, 'line')} more"]
    faults = [fault_line(fault) for fault in sorted(plan.faults, key=lambda fault: fault.at_s)]
    lines = setting(plan) + (["jobs" if tasks else "no jobs"] if tasks or not plan.test else [])
    lines += ["  " + line for line in tasks]
    lines += ["faults" if faults else "no faults"] + ["  " + line for line in faults]
    return "\n".join(one_line(line) for line in lines)


def setting(plan: Plan) -> list[str]:
    """All but the jobs and the faults, a line each."""
    entries = {
        "test": plan.test,
        "seed": f"{plan.seed}{f', found on {plan.found}' if plan.found else ''}",
        "tree": tree_words(plan.tree),
        "latency": latency_words(plan.latency),
        "schedule": plan.schedule,
        "buggify": ", ".join(f"{point} {often:g}" for point, often in plan.buggify.items()),
        "heal": "" if plan.test else f"all must end within {span(plan.heal_s)} of the last fault and job",
    }
    lines = [f"{name:8}  {text}" for name, text in entries.items() if text]
    return lines + ["  " + line for line in script_lines(plan.script)]


def tree_words(tree: list[int]) -> str:
    """[2, 3] as: 2 managers of 3 workers each (6 workers)."""
    if len(tree) == 1:
        return f"{tree}: a server with {counted(tree[0], 'worker')}"
    total = 1
    for fan_out in tree:
        total *= fan_out
    words = " of ".join(counted(number, "manager") for number in tree[:-1])
    return f"{tree}: {words} of {counted(tree[-1], 'worker')}, {counted(total, 'worker')} in all"


def latency_words(classes: list[str]) -> str:
    """The classes by level; the last is also that of all levels below."""
    if not classes:
        return ""
    if len(set(classes)) == 1:
        return f"{classes[0]} everywhere"
    named = [f"{name} at level {level}" if level else f"{name} to clients" for level, name in enumerate(classes)]
    return ", ".join(named) + " and below"


def script_lines(script: dict[int, list[int]]) -> list[str]:
    """Which batches of ready tasks deviate from first come, first served."""
    if not script:
        return []
    first = [f"batch {number}: {' '.join(map(str, order))}" for number, order in sorted(script.items())[:SCRIPT_MAX]]
    more = [f"… and {len(script) - SCRIPT_MAX} more"] if len(script) > SCRIPT_MAX else []
    return [f"{counted(len(script), 'batch')} of ready tasks in another order", *first, *more]


def job_lines(job: Job) -> list[str]:
    """A job and the tree of its tasks."""
    head = [f"{job.name} by {job.client} at {exact(job.at_s)} s", counted(len(job.items), "item"), *options_of(job)]
    return [", ".join(head), *branches(job.items)]


def branches(tasks: Sequence[Task]) -> list[str]:
    """Sibling tasks as the branches of a tree; neighbours that differ in nothing but their names are one branch."""
    lines: list[str] = []
    groups = [(shape, list(members)) for shape, members in groupby(tasks, shape_of)]
    for number, (shape, members) in enumerate(groups, 1):
        name = members[0].name
        if len(members) > 1:
            name = f"{name} to {members[-1].name} ({len(members)} alike)"
        twig, below = ("└─ ", "   ") if number == len(groups) else ("├─ ", "│  ")
        lines.append(twig + shape[0].replace(NAME, name))
        lines += [below + line.replace(NAME, members[0].name) for line in shape[1:]]
    return lines


def shape_of(task: Task) -> list[str]:
    """The lines of a task and all below it, without its name."""
    lines = [f"{task.name}: {task_words(task)}"]
    if any(isinstance(step, Batch) for step in task.steps):
        for step in task.steps:
            lines.append(step_words(step))
            lines += branches(step.children) if isinstance(step, Batch) else []
    return [line.replace(task.name, NAME) for line in lines]
