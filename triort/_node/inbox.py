"""What a scheduler task idles on: the events that its node's other tasks have put here."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import trio

Event = tuple[Callable[..., None], tuple[Any, ...]]


class Inbox:
    """Calls to be made by the one task that owns the books. Bounded by what the links are allowed to send."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._lot = trio.lowlevel.ParkingLot()

    def put_nowait(self, call: Callable[..., None], *args: Any) -> None:
        """Have the scheduler call ``call(*args)``."""
        self._events.append((call, args))
        self._lot.unpark()

    async def get_all(self, deadline: float) -> list[Event]:
        """Wait for events, until ``deadline`` at the latest (trio's clock), and return all; a cancel loses none."""
        if self._events:
            await trio.lowlevel.checkpoint()
        elif deadline == math.inf:
            await self._lot.park()
        else:
            with trio.CancelScope(deadline=deadline):
                await self._lot.park()
        events, self._events = self._events, []
        return events
