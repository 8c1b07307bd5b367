"""What tasks do beside their children: errors that are caught, retries, time limits, cancels, talk.

Most are generators that yield futures, so that sync and async tasks can share them: what the future gives is sent in,
what it raises is thrown in.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from functools import wraps
from typing import Any

import trio

import triort
from tests.chaos.plan import Extra, extra_key, extra_of, mix
from tests.chaos.records import END, START, first_time, note

TALK_S_MAX = 60.0
Steps = Generator[triort.Future, Any, int]


class Expected(Exception):
    """What a task raises for its parent to catch."""


def recorded(fn: Callable[..., int]) -> Callable[..., int]:
    """Record start and end of a sync task, whose first argument is its key."""

    @wraps(fn)
    def run(key: int, *args: Any, **kwargs: Any) -> int:
        note(key, START)
        value = fn(key, *args, **kwargs)
        note(key, END)
        return value

    return run


def recorded_async(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Record start and end of an async task, whose first argument is its key."""

    @wraps(fn)
    async def run(key: int, *args: Any, **kwargs: Any) -> int:
        note(key, START)
        value: int = await fn(key, *args, **kwargs)
        note(key, END)
        return value

    return run


def spin(microseconds: int) -> None:
    """Keep the CPU busy for so long."""
    end = time.perf_counter_ns() + 1_000 * microseconds
    while time.perf_counter_ns() < end:
        pass


def run_extra(rt: triort.Runtime, key: int) -> Steps:
    """What the plan has beside the children; returns its value."""
    below = extra_key(key)
    value = mix(below, 3)
    match extra_of(key):
        case Extra.NONE:
            return 0
        case Extra.CATCHES:
            try:
                yield rt.submit(fail, below)
            except Expected as exc:
                return exc.args[0]
        case Extra.RETRIES:
            return (yield rt.options(retries=1).submit(fail_once, below))
        case Extra.TIMES_OUT:
            try:
                yield rt.options(timeout_s=0.02).submit(ENDLESS[below % len(ENDLESS)], below)
            except triort.TaskTimeout:
                return value
        case Extra.ONCE:
            attempt_of_parent = int.from_bytes(os.urandom(7), "little") << 8
            try:
                return (yield rt.options(at_most_once=True).submit(run_once, attempt_of_parent, value))
            except triort.TaskCrashed:
                return value  # it may have run, and must not run again
        case other:
            raise AssertionError(f"{other!r} is for async tasks")
    raise AssertionError(f"{extra_of(key)!r} ended in an unexpected way")


def drive(steps: Steps) -> int:
    """Run steps in a sync task."""
    try:
        future = next(steps)
        while True:
            try:
                value = future.result()
            except Exception as exc:
                future = steps.throw(exc)
            else:
                future = steps.send(value)
    except StopIteration as stop:
        return int(stop.value)


async def drive_async(rt: triort.Runtime, key: int) -> int:
    """Run the extra of an async task."""
    below = extra_key(key)
    match extra_of(key):
        case Extra.CANCELS:
            with trio.move_on_after(0.01):
                await rt.submit(ENDLESS[below % len(ENDLESS)], below)
            return mix(below, 3)
        case Extra.TALKS:
            return await talk(rt, below)
        case _:
            return await _drive_async(run_extra(rt, key))


async def _drive_async(steps: Steps) -> int:
    try:
        future = next(steps)
        while True:
            try:
                value = await future
            except Exception as exc:
                future = steps.throw(exc)
            else:
                future = steps.send(value)
    except StopIteration as stop:
        return int(stop.value)


async def talk(rt: triort.Runtime, key: int) -> int:
    """Tell a child something until it has heard it; one that starts again hears it again."""
    future = rt.submit(listen, key)
    while not future.done():
        rt.communicate(future, mix(key, 3))
        with trio.move_on_after(0.02):
            await rt.next(future)
    value: int = await future
    return value


@recorded_async
async def listen(key: int) -> int:
    with trio.fail_after(TALK_S_MAX):
        while not (messages := triort.get_runtime().get_messages()):
            await trio.sleep(0.002)
    assert set(messages) == {mix(key, 3)}
    return int(messages[0])


@recorded
def fail(key: int) -> int:
    raise Expected(mix(key, 3))


def fail_once(key: int) -> int:
    """Recorded under two keys, for to run it twice is meant."""
    if first_time(key):
        note(mix(key, 1), START)
        raise Expected("not at the first time")
    note(key, START)
    return mix(key, 3)


@recorded
def run_once(key: int, value: int) -> int:
    return value


@recorded
def spin_for_ever(key: int) -> int:
    while True:
        spin(1_000)


@recorded_async
async def sleep_for_ever(key: int) -> int:
    await trio.sleep_forever()
    return 0


@recorded
def block_for_ever(key: int) -> int:
    while True:
        time.sleep(1_000)


ENDLESS = (spin_for_ever, sleep_for_ever, block_for_ever)
