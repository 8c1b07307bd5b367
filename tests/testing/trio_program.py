"""A program with every kind of race that trio has, for the tests of the schedule; also run as a process of its own.

Channels of several sizes, events with many waiters, tied deadlines, nested and shielded scopes, cancel storms, abort
functions, timers that are cancelled, generators that are left open. Its log has one line for each thing that is done.
"""

import hashlib
import json
from collections.abc import AsyncGenerator

import trio

from triort.testing._trio.clock import SimClock
from triort.testing._trio.run import run
from triort.testing._trio.schedule import Schedule, schedule_named

GROUP = 24


class Program:
    """One run of it: its log, and what its tasks share."""

    def __init__(self, clock: SimClock) -> None:
        self.clock = clock
        self.log: list[tuple[object, ...]] = []
        self.gate = trio.Event()
        self.scopes: list[trio.CancelScope] = []
        self.kept: list[object] = []

    def note(self, *what: object) -> None:
        self.log.append((trio.current_time(), *what))

    async def produce(self, i: int, send: trio.MemorySendChannel[int]) -> None:
        async with send:
            await self.gate.wait()
            for k in range(4):
                await send.send(k)
                self.note("sent", i, k)

    async def consume(self, i: int, who: str, receive: trio.MemoryReceiveChannel[int]) -> None:
        with trio.move_on_after(3) as outer, trio.move_on_after(3):
            async for k in receive:
                self.note("received", i, who, k)
                await trio.sleep(0.5)
        self.note("consumed", i, who, outer.cancel_called)

    async def sleep(self, i: int) -> None:
        with trio.CancelScope() as scope:
            self.scopes.append(scope)
            try:
                await trio.sleep(50 + i % 3)
            finally:
                with trio.CancelScope(deadline=trio.current_time() + 0.25, shield=True):
                    await trio.sleep(0.125 * (i % 3))
                self.note("slept", i)

    async def wait_below(self, i: int) -> None:
        def abort(_: object) -> trio.lowlevel.Abort:
            return trio.lowlevel.Abort.SUCCEEDED if i % 2 else trio.lowlevel.Abort.FAILED

        task = trio.lowlevel.current_task()
        if i % 2 == 0:
            self.clock.after(4, trio.lowlevel.reschedule, task)
        try:
            await trio.lowlevel.wait_task_rescheduled(abort)
        finally:
            self.note("below", i)

    async def share(self, i: int, limiter: trio.CapacityLimiter, lock: trio.Lock) -> None:
        async with limiter, lock:
            await trio.lowlevel.checkpoint()
            self.note("locked", i)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 1)
            nursery.start_soon(trio.sleep, 1)
        self.note("shared", i)

    async def generate(self, i: int) -> None:
        async def numbers() -> AsyncGenerator[int, None]:
            try:
                while True:
                    yield i
            finally:
                self.note("closed", i)

        generator = numbers()
        self.kept.append(generator)
        await trio.sleep(i % 2)
        await anext(generator)

    async def time(self) -> None:
        timers = [self.clock.after(1 + i % 2, self.note, "timer", i) for i in range(GROUP)]
        await self.clock.wait_idle()
        for timer in timers[::3]:
            self.clock.cancel(timer)

    async def main(self) -> None:
        limiter, lock = trio.CapacityLimiter(5), trio.Lock()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.time)
            for i in range(GROUP):
                send, receive = trio.open_memory_channel[int]((0, 1, 4)[i % 3])
                nursery.start_soon(self.produce, i, send)
                nursery.start_soon(self.consume, i, "a", receive.clone())
                nursery.start_soon(self.consume, i, "b", receive)
                nursery.start_soon(self.sleep, i)
                nursery.start_soon(self.share, i, limiter, lock)
                nursery.start_soon(self.generate, i)
            async with trio.open_nursery() as below:
                for i in range(GROUP):
                    below.start_soon(self.wait_below, i)
                await trio.sleep(0.25)
                self.gate.set()
                await trio.sleep(2)
                below.cancel_scope.cancel()
            for scope in self.scopes:
                scope.cancel()


def digest(log: list[tuple[object, ...]]) -> str:
    return hashlib.blake2b(repr(log).encode(), digest_size=8).hexdigest()


def traced(schedule: Schedule) -> str:
    """The digest of the program's log under this schedule."""
    clock = SimClock()
    program = Program(clock)
    run(program.main, schedule=schedule, clock=clock)
    return digest(program.log)


def untouched() -> str:
    """The digest of the program's log under the schedule of trio as it is."""
    clock = SimClock()
    program = Program(clock)
    trio.run(program.main, clock=clock)
    return digest(program.log)


def tell_traces(number: int) -> None:
    """What each of many processes is there for; ``number`` makes its addresses others than those of the others."""
    ballast = [bytearray(100 + 7 * i * number % 3000) for i in range(3000)]
    del ballast[::2]
    digests = [traced(schedule_named(name, 5)) for name in ("random", "pct", "fifo")]
    print(json.dumps({"held": digests, "free": untouched()}))
