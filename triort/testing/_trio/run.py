"""Runs one simulation: trio on a simulated clock, by a schedule, shut off from the world."""

from __future__ import annotations

import functools
import gc
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TypeVar, TypeVarTuple, cast

import trio
from trio.abc import Instrument

from triort._model.errors import UsageError
from triort.testing._trio.chance import seize
from triort.testing._trio.clock import SimClock
from triort.testing._trio.failures import GivenUp
from triort.testing._trio.garbage import collect_young, collected_at_fixed_points
from triort.testing._trio.generators import closed_in_order
from triort.testing._trio.schedule import Schedule, schedule_named
from triort.testing._trio.tripwires import tripwires as set_tripwires

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

COLLECTIONS_TO_FORGET = 3
"""Coroutines that are closed, then nurseries that complain, then what those have held."""

_RUNNING = threading.Lock()  # trio's `Random` is one in a process


def run(
    async_fn: Callable[[*Ts], Awaitable[T]],
    *args: *Ts,
    seed: int = 0,
    schedule: Schedule | None = None,
    clock: SimClock | None = None,
    instruments: Sequence[Instrument] = (),
    tripwires: bool = True,
    watched: Sequence[str] = (),
) -> T:
    """Run ``async_fn(*args)`` as `trio.run` does, but the same in every process; what it raises comes out as it is.

    Blocks until it has ended; takes no real time but for computing. ``seed`` draws the schedule unless one is given;
    ``tripwires`` makes the code under test fail that reaches for the world outside (also the installed packages named
    in ``watched``). A deadlock, a livelock, a time limit and what an event raises come out instead of what the
    function does. One at a time in a process; clock and schedule are for one run.
    """
    clock = clock if clock is not None else SimClock()
    schedule = schedule if schedule is not None else schedule_named("random", seed)
    if clock.started:
        raise UsageError("a simulated clock is for one run: make a new one")
    fence = set_tripwires(watched=watched) if tripwires else nullcontext()
    with _alone(), seize() as chance, collected_at_fixed_points(), schedule.on(chance), fence:
        schedule.attach(clock, collect_young)
        value = _run_trio(_main(clock, schedule, async_fn, args), clock, instruments)
        if clock.failure is not None:
            raise clock.failure
    return cast(T, value)


def _run_trio(main: Callable[[], Awaitable[T | None]], clock: SimClock, instruments: Sequence[Instrument]) -> T | None:
    """`trio.run`, but if the clock has failed, that is what is raised."""
    try:
        return _until_ended(main, clock, instruments)
    except (KeyboardInterrupt, SystemExit):
        raise
    except trio.TrioInternalError as error:
        if not isinstance(error.__cause__, GivenUp) or clock.failure is None:
            raise
    except BaseException:
        if clock.failure is None:
            raise
        raise clock.failure  # noqa: B904 - what came of the end is its context
    _forget_tasks()
    return None


def _until_ended(
    main: Callable[[], Awaitable[T | None]], clock: SimClock, instruments: Sequence[Instrument]
) -> T | None:
    try:
        return trio.run(main, clock=clock, instruments=instruments)
    finally:
        clock.forget()


def _main(
    clock: SimClock, schedule: Schedule, async_fn: Callable[[*Ts], Awaitable[T]], args: tuple[*Ts]
) -> Callable[[], Awaitable[T | None]]:
    async def main() -> T | None:
        if not schedule.num_batches:
            raise UsageError(f"trio {trio.__version__} does not ask for our schedule, so it cannot be simulated")
        async with closed_in_order():
            with trio.CancelScope() as scope:
                clock.stop = scope.cancel
                return await async_fn(*args)
        return None

    functools.update_wrapper(main, async_fn, assigned=("__module__", "__qualname__"), updated=())  # trio's name for it
    return main


@contextmanager
def _alone() -> Iterator[None]:
    """Only one in a process, and not within trio."""
    try:
        trio.lowlevel.current_root_task()
    except RuntimeError:
        inside = False
    else:
        inside = True
    if inside or not _RUNNING.acquire(blocking=False):
        raise UsageError(
            "a simulation runs alone: not within trio or another one, and not beside one in another thread"
        )
    try:
        yield
    finally:
        _RUNNING.release()


def _forget_tasks() -> None:
    """Trio was stopped at once: let its tasks go without a word from their frames about a loop that is gone."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        for _ in range(COLLECTIONS_TO_FORGET):
            gc.collect()
    finally:
        sys.unraisablehook = hook
