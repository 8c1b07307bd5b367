"""What a scheduler task idles on: the events that its node's other tasks have put here, and the time.

The time comes as an event, too, from a task of its own. A deadline around each wait would cost as much as the wait, and
is the same from one wait to the next most of the time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import trio

from triort._core.directions import Direction
from triort._model.limits import COMPANY_S

Event = tuple[Callable[..., None], tuple[Any, ...]]


class Inbox:
    """Calls to be made by the scheduler, in its next step. Bounded by what the links are allowed to send."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._lot = trio.lowlevel.ParkingLot()
        self._alarm = trio.CancelScope()
        self._due = math.inf
        self._last: dict[Direction, float] = {}

    def put_nowait(self, call: Callable[..., None], *args: Any) -> None:
        """Have the scheduler call ``call(*args)``."""
        self._events.append((call, args))
        self._lot.unpark()

    def fail(self, error: Exception) -> None:
        """Have the scheduler raise this."""
        self.put_nowait(_raise, error)

    def comes_alone(self, side: Direction, clock: Callable[[], float]) -> bool:
        """Whether something that has come from this side now has no company to wait for: the scheduler idles, and did
        when the last of such has come, a while ago."""
        if self._events or not self._lot:
            return False
        now = clock()
        last, self._last[side] = self._last.get(side, -math.inf), now
        return now - last >= COMPANY_S

    def set_alarm(self, deadline: float) -> None:
        """Have the scheduler look at ``deadline`` (trio's clock) at the latest."""
        if deadline < self._due:
            self._due = self._alarm.deadline = deadline

    def wake(self) -> None:
        """Have the scheduler look now."""
        self._lot.unpark()

    async def get_all(self) -> list[Event]:
        """Wait for events, or for the alarm, and return all; a cancel loses none. May return early without any."""
        if self._events:
            await trio.lowlevel.checkpoint()
        else:
            await self._lot.park()
        events, self._events = self._events, []
        return events

    async def run_alarm(self) -> None:
        """Wake the scheduler at its deadlines; until cancelled."""
        while True:
            with self._alarm:
                await trio.sleep_forever()
            self._alarm, self._due = trio.CancelScope(), math.inf
            self._lot.unpark()


def _raise(error: Exception) -> None:
    raise error
