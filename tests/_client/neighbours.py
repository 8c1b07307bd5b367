"""Async tasks that run one after the other on one worker, and might leave something behind."""

import time
from collections.abc import Coroutine, Generator
from contextvars import ContextVar
from types import coroutine
from typing import Any

import greenlet
import trio

import triort

SEEN: ContextVar[int] = ContextVar("seen", default=-1)
LEFT: list[object] = []


async def see_and_set(number: int) -> int:
    """What an earlier task may have set, before and after a wait."""
    before = SEEN.get()
    SEEN.set(number)
    await trio.lowlevel.checkpoint()
    assert SEEN.get() == number
    return before


async def sleep_with_deadline(number: int) -> int:
    with trio.move_on_after(0.01):
        await trio.sleep_forever()
    return number


async def sleep(number: int) -> int:
    await trio.sleep(0.001)
    return number


async def leave_a_scope_open() -> None:
    scope = trio.CancelScope()
    LEFT.append(scope)
    scope.__enter__()


async def cancel_what_was_left() -> None:
    for scope in LEFT:
        assert isinstance(scope, trio.CancelScope)
        scope.cancel()


async def outlive_a_child_that_times_out() -> list[int]:
    rt = triort.get_runtime()
    try:
        await rt.options(timeout_s=0.02).submit(trio.sleep_forever)
    except triort.TaskTimeout:
        pass
    return await rt.map(sleep, range(20))


async def in_a_nursery_of_its_own(number: int) -> int:
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(trio.lowlevel.checkpoint)
        nursery.start_soon(see_and_set, number)
    return SEEN.get()


async def deep(depth: int) -> int:
    """A chain of tasks that all wait."""
    return 1 if depth == 0 else 1 + await triort.get_runtime().submit(deep, depth - 1)


async def add_one(number: int) -> int:
    await trio.lowlevel.checkpoint()
    return number + 1


def seen_within_a_loop() -> int:
    """What there is of the context, for sync code that runs a loop of its own."""
    assert trio.run(add_one, 1) == 2
    return SEEN.get()


async def wait_for_sync_children(number: int) -> list[int]:
    """Children that this worker runs while this task waits."""
    SEEN.set(number)
    found = await seen_by_children()
    assert SEEN.get() == number
    return found


async def seen_by_children() -> list[int]:
    runtime = triort.get_runtime()
    found = [await runtime.submit(seen_within_a_loop) for _ in range(5)]
    return [*found, await runtime.submit(wait_for_sync_child)]


def wait_for_sync_child() -> int:
    return int(triort.get_runtime().submit(seen_within_a_loop).result())


def wait_for_timed_child() -> int:
    """The deadline of a child concerns the loop, too, which sleeps while this task runs beside its parent."""
    return int(triort.get_runtime().options(timeout_s=30.0).submit(seen_within_a_loop).result())


async def wait_with_a_deadline(number: int) -> int:
    """The loop sleeps until the deadline of a child when a child of that submits another one with a deadline."""
    value: int = await triort.get_runtime().options(timeout_s=20.0).submit(wait_beside_sync_child, number)
    return value


async def wait_beside_sync_child(number: int) -> int:
    for _ in range(10):
        first = triort.get_runtime().submit(pass_by)
        assert await triort.get_runtime().submit(wait_for_timed_child) == -1
        await first
    return number


async def pass_by() -> None:
    for _ in range(5):
        await trio.lowlevel.checkpoint()


@coroutine
def in_greenlets(steps: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Run each step in a greenlet, as libraries do that let sync code wait for async code."""
    value = None
    while True:
        try:
            trap = greenlet.greenlet(steps.send).switch(value)
        except StopIteration as stop:
            return stop.value
        value = yield trap


async def wait_in_greenlets() -> list[int]:
    found: list[int] = await in_greenlets(seen_by_children())
    return found


async def listen_closely(_: int) -> list[Any]:
    """Hears what it is told without ever waiting, as code does that computes."""
    deadline = time.monotonic() + 5.0
    heard: list[Any] = []
    while not heard and time.monotonic() < deadline:
        heard = triort.get_runtime().get_messages()
    return heard


async def tell_two(number: int) -> list[list[Any]]:
    runtime = triort.get_runtime()
    future = runtime.map(listen_closely, range(2))
    runtime.communicate(future, number)
    return list(await future)
