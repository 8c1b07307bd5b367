"""What a scheduler task idles on: the events that its node's other tasks have put here, and the time.

The time comes as an event, too, from a task of its own. A deadline around each wait would cost as much as the wait, and
is the same from one wait to the next most of the time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import trio

from triort._model.limits import COMPANY_S

Event = tuple[Callable[..., None], tuple[Any, ...]]


class Inbox:
    """Calls to be made by the one task that owns the books. Bounded by what the links are allowed to send."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._lot = trio.lowlevel.ParkingLot()
        self._alarm = trio.CancelScope()
        self._due = math.inf
        self._last: dict[object, float] = {}
        self.is_busy = False
        """Whether somebody touches the books now."""

    def put_nowait(self, call: Callable[..., None], *args: Any) -> None:
        """Have the scheduler call ``call(*args)``."""
        self._events.append((call, args))
        self._lot.unpark()

    @property
    def is_awaited(self) -> bool:
        """Whether there is nothing, the scheduler idles, and nobody else touches the books."""
        return not self._events and not self.is_busy and bool(self._lot)

    def has_company(self, side: object, now: float) -> bool:
        """Whether more comes from this side, so that what has come is to wait for the scheduler."""
        last, self._last[side] = self._last.get(side, -math.inf), now
        return now - last < COMPANY_S

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
