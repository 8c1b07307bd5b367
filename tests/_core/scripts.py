"""Scripted task trees for the model cluster, and the sequential interpreter that tells how each may end.

A script is what one task does, step by step. Each script stands in the tree once, so it names its task, however often
that is tried again. Values are plain numbers; errors are all alike, for which of several comes first is a race.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import attrs

from triort._model.outcomes import OutcomeKind

VALUE, ERROR = int(OutcomeKind.VALUE), int(OutcomeKind.ERROR)
CANCELLED = int(OutcomeKind.CANCELLED)
CAUGHT = 1_000_003


@attrs.define(eq=False)
class Compute:
    """Hold the CPU for so long."""

    seconds: float


@attrs.define(eq=False)
class Batch:
    """Submit children at once, as a map does: the first that fails cancels the others.

    ``wait`` for them, or leave them open; ``catch`` what the wait raises; ``cancel`` them after ``cancel_after_s`` of
    CPU time (waiting for them raises then); ``talk`` to them so many times.
    """

    children: list[Script]
    wait: bool = True
    catch: bool = False
    cancel: bool = False
    cancel_after_s: float = 0.0
    talk: int = 0


@attrs.define(eq=False)
class Listen:
    """Wait on the CPU, look by look, until so many messages have come from the parent."""

    messages: int


@attrs.define(eq=False)
class Script:
    """One task: its steps, and whether it raises at its end."""

    number: int
    steps: list[Compute | Batch | Listen]
    fails: bool = False
    function: bytes = b"f"
    parent: Script | None = None
    alive: int = 0
    """How many attempts of it or of tasks below it are running now."""
    fragile: bool = False
    """It or a task above it may be cancelled by the plan, so it may end as cancelled."""

    def size(self) -> int:
        return 1 + sum(c.size() for s in self.steps if isinstance(s, Batch) for c in s.children)


def interpret(script: Script) -> tuple[int, int]:
    """How the task ends when nothing is cancelled from outside: (kind, value)."""
    total = script.number
    for step in script.steps:
        if not isinstance(step, Batch) or not step.wait:
            continue
        ends = [interpret(child) for child in step.children]
        if step.cancel or any(kind != VALUE for kind, _ in ends):
            if not step.catch:
                return ERROR, 0
            total += CAUGHT
        else:
            total += sum(value for _, value in ends)
    return (ERROR, 0) if script.fails else (VALUE, total)


def fates(root: Script) -> dict[int, set[tuple[int, int]]]:
    """The outcomes that each task of the tree may have at its parent: a failed sibling or an end of the parent, too,
    cancels it."""
    found: dict[int, set[tuple[int, int]]] = {}

    def walk(script: Script, fragile: bool) -> None:
        found[script.number] = {interpret(script)} | ({(CANCELLED, 0)} if fragile else set())
        bad = False
        for step in script.steps:
            if isinstance(step, Batch):
                some_fail = any(interpret(child)[0] != VALUE for child in step.children)
                bad = bad or step.cancel or some_fail
                for child in step.children:
                    walk(child, fragile or not step.wait or step.cancel or some_fail)

    walk(root, root.fragile)
    return found


def grow(rng: Random, next_number: Callable[[], int], depth: int, width: int, unit_s: float) -> Script:
    """A random tree, at most so deep and wide."""
    steps: list[Compute | Batch | Listen] = [Compute(rng.expovariate(1 / unit_s))]
    number = next_number()
    for _ in range(rng.randrange(3) if depth else 0):
        children = [grow(rng, next_number, depth - 1, width, unit_s) for _ in range(rng.randint(1, width))]
        batch = Batch(children, wait=rng.random() < 0.85, catch=rng.random() < 0.5, cancel=rng.random() < 0.1)
        batch.cancel_after_s = rng.expovariate(1 / unit_s)
        if rng.random() < 0.2:
            batch.talk = rng.randint(1, 3)
            for child in children:
                child.steps.insert(rng.randrange(len(child.steps) + 1), Listen(batch.talk))
        steps += [batch, Compute(rng.expovariate(1 / unit_s))]
    script = Script(number, steps, rng.random() < 0.04, rng.choice([b"f", b"g", b"h"]))
    for step in steps:
        if isinstance(step, Batch):
            for child in step.children:
                child.parent = script
    return script
