"""The tasks of a job, as the plan has them; workers import this module. Each is recorded at its start and its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import trio

import triort
from tests.chaos.extras import drive, drive_async, recorded, recorded_async, run_extra, spin
from tests.chaos.plan import SYNC_WAYS, Way, children_of, mix, own_value, shared_value, way_of

CRASH_LIMIT = 1_000  # random kills must not make a suspect of an innocent task for good
Numbers = list[int] | None


def function_for(key: int, depth: int) -> Callable[..., Any]:
    """The function of the task with this key."""
    if depth == 0:
        return leaf if key & 1 else async_leaf
    return sync_branch if way_of(key) in SYNC_WAYS else branch


@recorded
def leaf(key: int, index: int, depth: int, spin_us: int, numbers: Numbers = None) -> int:
    spin(spin_us)
    return with_number(mix(key, 3), index, numbers)


@recorded_async
async def async_leaf(key: int, index: int, depth: int, spin_us: int, numbers: Numbers = None) -> int:
    await trio.lowlevel.checkpoint()
    spin(spin_us)
    return with_number(mix(key, 3), index, numbers)


@recorded
def sync_branch(key: int, index: int, depth: int, spin_us: int, numbers: Numbers = None) -> int:
    rt = triort.get_runtime().options(crash_limit=CRASH_LIMIT)
    children = children_of(key)
    if way_of(key) is Way.SYNC_MAP:
        maps = start_maps(rt, children, depth - 1, spin_us)
        extra = drive(run_extra(rt, key))
        values = in_order((indices, future.result()) for indices, future in maps)
    else:
        futures = [
            rt.submit(function_for(child, depth - 1), child, index, depth - 1, spin_us)
            for index, child in enumerate(children)
        ]
        extra = drive(run_extra(rt, key))
        values = [future.result() for future in reversed(futures)][::-1]
    return with_number(own_value(key, depth, values, extra), index, numbers)


@recorded_async
async def branch(key: int, index: int, depth: int, spin_us: int, numbers: Numbers = None) -> int:
    rt = triort.get_runtime().options(crash_limit=CRASH_LIMIT)
    way, children = way_of(key), children_of(key)
    if way is Way.NURSERY:
        async with triort.open_nursery() as nursery:
            handles = [
                nursery.start_soon(function_for(child, depth - 1), child, index, depth - 1, spin_us)
                for index, child in enumerate(children)
            ]
            extra = await drive_async(rt, key)
        values = [handle.value for handle in handles]
    else:
        shared = {"numbers": rt.put(shared_value(key))} if way is Way.SHARED_VALUE else {}
        maps = start_maps(rt, children, depth - 1, spin_us, **shared)
        extra = await drive_async(rt, key)
        if way is Way.AS_COMPLETED:
            values = in_order([(indices, await collect(rt, future, len(indices))) for indices, future in maps])
        else:
            values = in_order([(indices, await future) for indices, future in maps])
    return with_number(own_value(key, depth, values, extra), index, numbers)


def with_number(value: int, index: int, numbers: Numbers) -> int:
    """The value of a task, changed by its number out of what its parent has put."""
    return value if numbers is None else mix(value, numbers[index])


def start_maps(
    rt: triort.Runtime, keys: list[int], depth: int, spin_us: int, **shared: Any
) -> list[tuple[list[int], triort.Future]]:
    """A map for each function that the children have, with the indices of its items."""
    groups: dict[Any, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(function_for(key, depth), []).append(index)
    return [
        (indices, rt.map(fn, [keys[index] for index in indices], indices, depth=depth, spin_us=spin_us, **shared))
        for fn, indices in groups.items()
    ]


def in_order(groups: Iterable[tuple[list[int], list[int]]]) -> list[int]:
    """The values of several maps, by their indices."""
    values = {index: value for indices, group in groups for index, value in zip(indices, group, strict=True)}
    return [values[index] for index in range(len(values))]


async def collect(rt: triort.Runtime, future: triort.Future, count: int) -> list[int]:
    """The values of a map as they come; a second value for an index is no value."""
    found: dict[int, int] = {}
    async for index, value in rt.as_completed(future):
        if index in found:
            raise AssertionError(f"a second outcome for item {index}")
        found[index] = value
    return [found[index] for index in range(count)]
