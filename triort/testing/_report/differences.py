"""How two runs differ: their plans field by field, then where their events part, then how their tasks ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from triort.testing._plan.plan import Batch, Compute, Fault, Job, Listen, Plan, Say, Task
from triort.testing._report.divergence import compare_runs
from triort.testing._report.hierarchy import natural
from triort.testing._report.sentences import fault_line, step_words, task_words
from triort.testing._report.words import counted, one_line
from triort.testing._run import Run

LINES_MAX = 60
"""Of each of the three parts so much is shown."""


def show_diff(a: Run, b: Run, names: tuple[str, str] = ("a", "b")) -> str:
    """The differences of two runs in lines, for ``triort sim diff``."""
    plans = plan_differences(a.plan, b.plan, names)
    lines = ["plans", *indented(plans or ["no difference"])]
    lines += ["how they end", *indented([f"{name}: {ending(run)}" for name, run in zip(names, (a, b), strict=True)])]
    lines += ["events", *indented(compare_runs(a, b, names).split("\n"))]
    lines += ["outcomes", *indented(outcome_differences(a, b) or ["no difference"])]
    return "\n".join(lines)


def indented(lines: list[str]) -> list[str]:
    """The lines, not too many, two to the right."""
    more = [f"… and {counted(len(lines) - LINES_MAX, 'line')} more"] if len(lines) > LINES_MAX else []
    return ["  " + one_line(line) for line in lines[:LINES_MAX] + more]


def ending(run: Run) -> str:
    """What a run has come to."""
    return f"fails {run.violation}" if run.violation else f"passes, {counted(run.num_events, 'event')}"


def outcome_differences(a: Run, b: Run) -> list[str]:
    """The tasks that did not end in the same way."""
    return [
        f"{task}: {a.outcomes.get(task, 'nothing')} → {b.outcomes.get(task, 'nothing')}"
        for task in sorted({**a.outcomes, **b.outcomes}, key=natural)
        if a.outcomes.get(task) != b.outcomes.get(task)
    ]


def plan_differences(a: Plan, b: Plan, names: tuple[str, str] = ("a", "b")) -> list[str]:
    """Each difference of two plans in a line: its path, then both values, or where it is found alone."""
    return list(differences("", a, b, names))


def differences(path: str, a: Any, b: Any, names: tuple[str, str]) -> Iterator[str]:
    """What differs below ``path``."""
    if a == b:
        return
    if isinstance(a, msgspec.Struct) and type(a) is type(b):
        for field in a.__struct_fields__:
            yield from differences(f"{path}.{field}".strip("."), getattr(a, field), getattr(b, field), names)
    elif isinstance(a, dict) and isinstance(b, dict):
        yield from in_mappings(path, a, b, names)
    elif is_entries(a) and is_entries(b):
        yield from in_mappings(path, keyed(a), keyed(b), names)
    else:
        yield f"{path}: {value_words(a)} → {value_words(b)}"


def is_entries(value: object) -> bool:
    """Whether it is a list of jobs, tasks, steps or faults, or empty."""
    return isinstance(value, list) and all(isinstance(item, msgspec.Struct) for item in value)


def keyed(items: Sequence[msgspec.Struct]) -> dict[str, msgspec.Struct]:
    """Jobs and tasks by name, equal faults by what they are and how often, steps by position."""
    found: dict[str, msgspec.Struct] = {}
    for i, item in enumerate(items):
        key = str(i)
        if isinstance(item, Job | Task):
            key = item.name
        elif isinstance(item, Fault):
            key = f"{item.kind} {item.target}"
        number = 2
        while key in found:
            key, number = f"{key.partition(' #')[0]} #{number}", number + 1
        found[key] = item
    return found


def in_mappings(path: str, a: Mapping[Any, Any], b: Mapping[Any, Any], names: tuple[str, str]) -> Iterator[str]:
    """What only one of them has, and what differs in both."""
    for key in {**a, **b}:
        inner = f"{path}[{key}]"
        if key not in b:
            yield f"{inner}: only in {names[0]}: {value_words(a[key])}"
        elif key not in a:
            yield f"{inner}: only in {names[1]}: {value_words(b[key])}"
        else:
            yield from differences(inner, a[key], b[key], names)


def value_words(value: object) -> str:
    """A part of a plan in a few words."""
    if isinstance(value, Fault):
        return fault_line(value)
    if isinstance(value, Task):
        return task_words(value)
    if isinstance(value, Compute | Listen | Say | Batch):
        return step_words(value)
    if isinstance(value, Job):
        return f"a job by {value.client}, {counted(len(value.items), 'item')}"
    return "nothing" if value is None else str(value)
