"""Virtual time and the queue of all that comes from outside the tasks, in one: a clock for trio.

Trio asks its clock how long to sleep only when no task is ready to run. There we deliver what is due, else wake who
waits for a moment of rest, else move time to the next event or the next deadline of trio, whichever is first (at
equal times the event). There is no task that delivers, no autojump and no real sleep: a message costs two switches of
tasks, not five.

An event is a list, `[when, number, function, args, background]`: lists compare in C, first by time, then by number,
which is never equal; and to cancel one is to take its function away. It leaves the heap when its time comes, or in a
sweep when half of the heap is dead.

When nothing can happen any more, the run ends with a `Deadlock` that tells who waits where; never in a process that
hangs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sized
from heapq import heapify, heappop, heappush
from typing import Any, TypeAlias

import attrs
import trio

from triort._model.errors import UsageError
from triort.testing._trio.blocked import blocked_tasks
from triort.testing._trio.failures import Deadlock, GivenUp, Livelock, TimeLimit
from triort.testing._trio.rest import Waiters, waiting_in_trio
from triort.testing._trio.shields import take_shields_off

Timer: TypeAlias = list[Any]
"""What `SimClock.at` gives back, for `SimClock.cancel`; opaque to all others."""

WHEN, NUMBER, FUNCTION, ARGS, BACKGROUND = range(5)

EVENTS_AT_ONCE_MAX = 1_000_000
EVENTS_TO_UNWIND_MAX = 100_000
INSISTED_MAX = 100
CANCELLED_KEPT_MIN = 64


@attrs.define(eq=False, repr=False)
class SimClock(trio.abc.Clock):
    """Trio's clock in a simulated run, and its network: `at` and `after` put events into its queue."""

    now: float = 0.0
    """Virtual time in seconds, as `trio.current_time` tells it."""
    time_limit_s: float = math.inf
    """Time does not go beyond; the run ends with `TimeLimit` instead."""
    max_events: float = math.inf
    """After so many events and deadlines the run ends with `Livelock`."""
    on_deadlock: Callable[[Deadlock], object] | None = None
    """Called once, instead of ending the run, so that it may wake somebody; the next deadlock ends the run."""
    stop: Callable[[], object] | None = None
    """Cancels the run; set by `run`. Without it, a failure is raised out of trio's own loop."""
    failure: BaseException | None = None
    """Why the run ends early."""
    num_events: int = 0
    """Events delivered and deadlines reached."""
    started: bool = False
    _heap: list[Timer] = attrs.field(factory=list, init=False)
    _number: int = attrs.field(default=0, init=False)
    _num_cancelled: int = attrs.field(default=0, init=False)
    _num_background: int = attrs.field(default=0, init=False)
    _num_insisted: int = attrs.field(default=0, init=False)
    _hook_used: bool = attrs.field(default=False, init=False)
    _waiters: Waiters = attrs.field(factory=Waiters, init=False)
    _idle_in_trio: Sized = attrs.field(default=(), init=False)
    _calls_in_trio: Sized = attrs.field(default=(), init=False)

    # What trio calls.

    def start_clock(self) -> None:
        """Trio starts."""
        self.started = True
        self._idle_in_trio, self._calls_in_trio = waiting_in_trio()

    def current_time(self) -> float:
        """Virtual time."""
        return self.now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """All tasks are blocked, and trio's next deadline is this: make the next thing happen."""
        heap = self._heap
        due = heap[0][WHEN] if heap else math.inf
        step = due if due <= deadline else deadline
        if step > self.now:
            if self._calls_in_trio:
                return 0.0
            timeout = self._before(step, deadline)
            if timeout is not None:
                return timeout
            self.now = step
        if due <= self.now:
            self._deliver(heap)
        else:
            self.num_events += 1
        if self.num_events > self.max_events:
            self._too_many_events()
        return 0.0

    # Events.

    def at(self, when_s: float, function: Callable[..., object], *args: object) -> Timer:
        """Call ``function(*args)`` at this time, at once if that is over; among equal times, in the order of the calls.

        It runs between tasks, in trio's loop: it may reschedule tasks and must not block. What it raises ends the run.
        """
        return self._put(when_s, function, args, False)

    def after(self, delay_s: float, function: Callable[..., object], *args: object) -> Timer:
        """As `at`, so many seconds from now."""
        return self._put(self.now + delay_s, function, args, False)

    def in_background_at(self, when_s: float, function: Callable[..., object], *args: object) -> Timer:
        """As `at`, for one who only looks on: does not happen, and holds nothing up, once all else is at rest."""
        timer = self._put(when_s, function, args, True)
        self._num_background += 1
        return timer

    def cancel(self, timer: Timer) -> None:
        """Let it not happen; nothing if it has happened, or is cancelled already."""
        if timer[FUNCTION] is None:
            return
        timer[FUNCTION] = None
        timer[ARGS] = ()
        if timer[BACKGROUND]:
            self._num_background -= 1
        self._num_cancelled += 1
        if self._num_cancelled > CANCELLED_KEPT_MIN and 2 * self._num_cancelled > len(self._heap):
            self._heap[:] = [kept for kept in self._heap if kept[FUNCTION] is not None]
            heapify(self._heap)
            self._num_cancelled = 0

    @property
    def num_pending(self) -> int:
        """Events that are still to happen, without those in the background."""
        return len(self._heap) - self._num_background - self._num_cancelled

    def _put(self, when_s: float, function: Callable[..., object], args: tuple[object, ...], background: bool) -> Timer:
        if when_s < self.now:
            when_s = self.now
        elif not when_s < math.inf:
            raise UsageError(f"an event cannot happen at {when_s} s")
        self._number = number = self._number + 1
        timer: Timer = [when_s, number, function, args, background]
        heappush(self._heap, timer)
        return timer

    def _deliver(self, heap: list[Timer]) -> None:
        """Make happen all that is due at this instant, also what comes to it meanwhile."""
        now = self.now
        count = 0
        while heap and heap[0][WHEN] <= now:
            timer = heappop(heap)
            function = timer[FUNCTION]
            if function is None:
                self._num_cancelled -= 1
                continue
            timer[FUNCTION] = None
            if timer[BACKGROUND]:
                self._num_background -= 1
            count += 1
            if count > EVENTS_AT_ONCE_MAX:
                self._too_many_at_once(function)
                break
            try:
                function(*timer[ARGS])
            except BaseException as error:
                self.fail(error)
        self.num_events += count

    # Rest.

    async def wait_idle(self) -> None:
        """Wait until no task is ready and nothing is due at this instant. A checkpoint, and can be cancelled."""
        await self._waiters.wait_idle()

    async def wait_quiet(self, until_s: float = math.inf) -> bool:
        """Wait until all is at rest (True), or until that time (False), after all that is due then.

        At rest: all tasks are blocked, no event is to come but those in the background, and no deadline before that
        of the caller's own scopes. A checkpoint, and can be cancelled.
        """
        return await self._waiters.wait_quiet(until_s)

    def _before(self, step: float, deadline: float) -> float | None:
        """Nothing is due at this instant; None if time may go on to the next step, else how long trio shall sleep."""
        waiters = self._waiters
        if waiters.idle:
            waiters.wake_idle()
            return 0.0
        if self._idle_in_trio:
            return 1.0  # trio wakes them instead of sleeping
        still = len(self._heap) == self._num_background + self._num_cancelled
        if waiters.quiet:
            if still and waiters.wake_resting(deadline):
                return 0.0
            late = waiters.wake_late(step)
            if late is not None:
                self.now = max(self.now, late)
                return 0.0
        if still and deadline == math.inf:
            self._stand_still()
            return 0.0
        if step > self.time_limit_s:
            self.fail(TimeLimit(f"the run is not over at its time limit of {self.time_limit_s:g} s"))
            return 0.0
        return None

    # Ends.

    def fail(self, error: BaseException) -> None:
        """End the run with this error: its main task is cancelled, and may unwind. Only the first counts."""
        if self.failure is not None:
            return
        self.failure = error
        self.time_limit_s = math.inf
        self.max_events = self.num_events + EVENTS_TO_UNWIND_MAX
        if self.stop is None:
            raise error
        self.stop()

    def insist(self) -> None:
        """The run has failed and does not end: cancel also what is shielded; if nothing is, stop trio at once."""
        self._num_insisted += 1
        if self._num_insisted > INSISTED_MAX or not take_shields_off():
            raise GivenUp

    def forget(self) -> None:
        """Trio has ended: keep nothing that holds its tasks."""
        self.stop = None
        self._idle_in_trio = self._calls_in_trio = ()
        self._waiters = Waiters()

    def _stand_still(self) -> None:
        if trio.lowlevel.current_statistics().run_sync_soon_queue_size:
            return  # only if trio does not have the names of above
        if self.failure is not None:
            self.insist()
            return
        error = Deadlock(self.now, blocked_tasks())
        if self.on_deadlock is None or self._hook_used:
            self.fail(error)
            return
        self._hook_used = True
        try:
            self.on_deadlock(error)
        except BaseException as raised:
            self.fail(raised)

    def _too_many_events(self) -> None:
        if self.failure is not None:
            self.max_events += EVENTS_TO_UNWIND_MAX
            self.insist()
            return
        self.fail(Livelock(f"livelock at {self.now:g} s: {self.num_events} events, and the run is not over"))

    def _too_many_at_once(self, function: Callable[..., object]) -> None:
        if self.failure is not None:
            raise GivenUp  # shields are for tasks; these are events
        name = getattr(function, "__qualname__", type(function).__name__)
        self.fail(Livelock(f"livelock at {self.now:g} s: more than {EVENTS_AT_ONCE_MAX} events at once, last {name}"))
