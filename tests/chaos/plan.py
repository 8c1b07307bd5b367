"""What a job computes, as a pure function of its key: the tree of its tasks, what each gives, and the serial run.

A key is a number of 64 bits; a child's key is drawn from its parent's. From key and depth alone follows what a task is:
a leaf, or a way to run its children with, often, one extra beside them that fails, is retried, times out or is
cancelled. So a task that runs again, anywhere, must give the same, and any process can tell what the whole must give.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum

MASK = (1 << 64) - 1
FANOUT = (2, 3, 3, 4)
DEPTH = 4


class Way(IntEnum):
    """How a task runs its children; the first two are sync functions."""

    SYNC_MAP = 0
    SYNC_SUBMITS = 1
    MAP = 2
    AS_COMPLETED = 3
    NURSERY = 4
    SHARED_VALUE = 5


class Extra(IntEnum):
    """What a task does beside; all but the last two are done by sync tasks, too."""

    NONE = 0
    CATCHES = 1
    RETRIES = 2
    TIMES_OUT = 3
    ONCE = 4
    CANCELS = 5
    TALKS = 6


SYNC_WAYS = (Way.SYNC_MAP, Way.SYNC_SUBMITS)
SYNC_EXTRAS = (Extra.NONE, Extra.NONE, Extra.CATCHES, Extra.RETRIES, Extra.TIMES_OUT, Extra.ONCE)
ASYNC_EXTRAS = (*SYNC_EXTRAS, Extra.CANCELS, Extra.TALKS)
EXTRA_INDEX = 1_000


def mix(key: int, n: int) -> int:
    """Another key, drawn from this one (splitmix64)."""
    z = (key + 0x9E3779B97F4A7C15 * (n + 1)) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def fold(key: int, values: Iterable[int]) -> int:
    """One value from many, in order."""
    for value in values:
        key = mix(key ^ value, 7)
    return key


def way_of(key: int) -> Way:
    """How the task runs its children."""
    return Way(key % len(Way))


def extra_of(key: int) -> Extra:
    """What the task does beside."""
    extras = SYNC_EXTRAS if way_of(key) in SYNC_WAYS else ASYNC_EXTRAS
    return extras[(key >> 8) % len(extras)]


def extra_key(key: int) -> int:
    """The key of the task that the extra submits."""
    return mix(key, EXTRA_INDEX)


def children_of(key: int) -> list[int]:
    """The keys of the children."""
    return [mix(key, index) for index in range(FANOUT[(key >> 16) % len(FANOUT)])]


def shared_value(key: int) -> list[int]:
    """What a task with `Way.SHARED_VALUE` puts for its children: one number for each."""
    return [mix(child, 5) for child in children_of(key)]


def own_value(key: int, depth: int, values: Sequence[int], extra: int) -> int:
    """What a task gives, from what its children and its extra gave."""
    return fold(mix(key, depth), [*values, extra])


def serial(key: int, depth: int) -> int:
    """What the tree of tasks under a key must give, computed here and now."""
    if depth == 0:
        return mix(key, 3)
    extra = 0 if extra_of(key) is Extra.NONE else mix(extra_key(key), 3)
    values = [serial(child, depth - 1) for child in children_of(key)]
    if way_of(key) is Way.SHARED_VALUE:
        values = [mix(value, number) for value, number in zip(values, shared_value(key), strict=True)]
    return own_value(key, depth, values, extra)


def count_tasks(key: int, depth: int) -> int:
    """How many tasks a fault-free run of the tree has."""
    if depth == 0:
        return 1
    extra = extra_of(key) is not Extra.NONE
    return 1 + extra + sum(count_tasks(child, depth - 1) for child in children_of(key))


def job_key(seed: int, serial_number: int) -> int:
    """The key of a job."""
    return mix(mix(seed, 11), serial_number)
