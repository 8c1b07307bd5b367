"""In which order the ready tasks of one batch run: first by creation, by a hash, by priorities, by a script.

A policy is asked for each batch of at least two tasks, which trio has sorted by their creation. It answers with the
positions in the order to run, or None for that of creation.
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Protocol
from weakref import WeakKeyDictionary

import attrs
from trio.lowlevel import Task

from triort.testing._trio.blocked import without_addresses

DRAWN_FROM_ONE_HASH_MAX = 30
"""30! is about 2**107: one hash of 128 bits draws fairly among the orders of so many tasks."""


class Policy(Protocol):
    """Decides on the order of each batch."""

    def order(self, batch: Sequence[Task], number: int, now_s: float, turn: int) -> Sequence[int] | None:
        """The order of batch ``number`` of the run, which has at least two tasks; the ``turn``-th at ``now_s``."""


class Fifo:
    """The task that was created first runs first."""

    def order(self, batch: Sequence[Task], number: int, now_s: float, turn: int) -> None:
        """None, always."""


class Shuffled:
    """Each order is drawn by a hash of seed, instant and turn: a change at one instant leaves the others alone."""

    def __init__(self, seed: int) -> None:
        self._base = blake2b(b"order %d" % seed, digest_size=16)
        self._random = random.Random(0)

    def order(self, batch: Sequence[Task], number: int, now_s: float, turn: int) -> Sequence[int]:
        """An order drawn evenly."""
        hashed = self._base.copy()
        hashed.update(struct.pack("<dQ", now_s, turn))
        drawn = int.from_bytes(hashed.digest(), "little")
        size = len(batch)
        if size == 2:
            return (1, 0) if drawn & 1 else (0, 1)
        if size > DRAWN_FROM_ONE_HASH_MAX:
            self._random.seed(drawn)
            keys = [self._random.random() for _ in batch]
            return sorted(range(size), key=keys.__getitem__)
        order = list(range(size))
        for last in range(size - 1, 0, -1):
            drawn, chosen = divmod(drawn, last + 1)
            order[last], order[chosen] = order[chosen], order[last]
        return order


class Priorities:
    """Probabilistic concurrency testing: by priorities; at ``depth`` - 1 batches the highest one falls to the end.

    It finds a bug that needs ``depth`` steps in one order among ``horizon`` batches with a known least probability. A
    task's priority is a hash of the seed, its name and its number among those of that name.
    """

    def __init__(self, seed: int, depth: int = 3, horizon: int = 2000) -> None:
        self._base = blake2b(b"priority %d" % seed, digest_size=8)
        self._changes = frozenset(random.Random(f"changes {seed}").sample(range(horizon), depth - 1))
        self._priorities: WeakKeyDictionary[Task, int] = WeakKeyDictionary()
        self._named: Counter[str] = Counter()
        self._lowest = 0

    def order(self, batch: Sequence[Task], number: int, now_s: float, turn: int) -> Sequence[int]:
        """The highest priority first."""
        priorities = [self._priority(task) for task in batch]
        if number in self._changes:
            highest = max(range(len(batch)), key=priorities.__getitem__)
            self._lowest -= 1
            priorities[highest] = self._priorities[batch[highest]] = self._lowest
        return sorted(range(len(batch)), key=lambda position: -priorities[position])

    def _priority(self, task: Task) -> int:
        priority = self._priorities.get(task)
        if priority is None:
            name = without_addresses(task.name)
            self._named[name] += 1
            hashed = self._base.copy()
            hashed.update(f"{self._named[name]} {name}".encode())
            priority = self._priorities[task] = int.from_bytes(hashed.digest(), "little")
        return priority


@attrs.define
class Script:
    """Recorded deviations from the order of creation, by the number of the batch."""

    deviations: Mapping[int, Sequence[int]]
    num_misfits: int = 0
    """Batches of another size than the script tells; they run in the order of creation."""

    def order(self, batch: Sequence[Task], number: int, now_s: float, turn: int) -> Sequence[int] | None:
        """As the script says, if it says something that fits."""
        order = self.deviations.get(number)
        if order is not None and sorted(order) != list(range(len(batch))):
            self.num_misfits += 1
            return None
        return order
