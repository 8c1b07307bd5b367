"""Takes the shields off cancel scopes: of a run that has failed, or of a process that was killed, so that it unwinds.

Which scopes a task is in has no public name; where trio does not have the names known, no shield is found.
"""

from __future__ import annotations

from collections.abc import Iterator

import trio
from trio.lowlevel import Task


def take_shields_off(root: Task | None = None) -> bool:
    """Whether there was one around this task, or one below it; by default around any. Call it from trio's loop."""
    root = root or trio.lowlevel.current_root_task()
    shielded = [scope for task in _below(root) for scope in _scopes(task) if scope.shield] if root is not None else []
    for scope in shielded:
        scope.shield = False
    return bool(shielded)


def _below(root: Task) -> Iterator[Task]:
    waiting = [root]
    while waiting:
        task = waiting.pop()
        yield task
        waiting.extend(child for nursery in task.child_nurseries for child in nursery.child_tasks)


def _scopes(task: Task) -> Iterator[trio.CancelScope]:
    status = getattr(task, "_cancel_status", None)
    while status is not None:
        scope = getattr(status, "_scope", None)
        if isinstance(scope, trio.CancelScope):
            yield scope
        status = getattr(status, "_parent", None)
