"""Tells which tasks are blocked and where, for the report on a deadlock: without addresses, in a fixed order."""

from __future__ import annotations

import re
from collections import Counter
from types import FrameType

import trio
from trio.lowlevel import Task

FRAMES_MAX = 3
DEPTH_MAX = 60
LINES_MAX = 200

_ADDRESS = re.compile(r" (?:object )?at 0x[0-9a-fA-F]+")
_TRIOS_OWN = "<TrioToken.run_sync_soon task>"
_MACHINERY = ("trio", "contextlib", "outcome", "triort.testing._trio")


def without_addresses(text: str) -> str:
    """The text as it is in every process."""
    return _ADDRESS.sub("", text)


def blocked_tasks() -> list[str]:
    """One line for each task of this run but trio's own, indented below its parent; equal ones once, with their number.

    Call it within a run, from a task or from the run loop.
    """
    root = trio.lowlevel.current_root_task()
    lines = [line for text in _children(root, 0) for line in text] if root is not None else []
    more = len(lines) - LINES_MAX
    return [*lines[:LINES_MAX], f"  … and {more} lines more"] if more > 0 else lines


def _children(task: Task, depth: int) -> list[tuple[str, ...]]:
    """The lines of each child; trio keeps children in sets, so they are put in order here."""
    children = [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    told = Counter(_lines(child, depth + 1) for child in children if child.name != _TRIOS_OWN)
    return [(f"{first} (× {count})" if count > 1 else first, *rest) for (first, *rest), count in sorted(told.items())]


def _lines(task: Task, depth: int) -> tuple[str, ...]:
    first = f"{'  ' * depth}{without_addresses(task.name)}: {_place(task)}"
    if depth >= DEPTH_MAX:
        return (first,)
    return (first, *(line for child in _children(task, depth) for line in child))


def _place(task: Task) -> str:
    """The innermost frames of the task that are no machinery, and what of trio they wait in."""
    frames = [frame for frame, _ in task.iter_await_frames()]
    ours = [position for position, frame in enumerate(frames) if not _is_machinery(frame)]
    places = [_show(frames[position]) for position in ours[-FRAMES_MAX:]]
    below = frames[ours[-1] + 1 :] if ours else frames
    waits = [frame.f_code.co_qualname for frame in below[:1]]
    return " → ".join([*places, *waits])


def _is_machinery(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    return any(module == name or module.startswith(f"{name}.") for name in _MACHINERY)


def _show(frame: FrameType) -> str:
    return f"{frame.f_globals.get('__name__', '?')}:{frame.f_lineno} {frame.f_code.co_qualname}"
