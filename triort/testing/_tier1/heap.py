"""The event heap: virtual time, and what happens next.

Entries of one time go in the order in which they were made. What merely looks (a boss at its workers' pages, a task for
messages) is kept in the *background*: when nothing else is left, nothing else will happen on its own. What goes on for
ever, as heartbeats do, is *idle*: it keeps no run from being at rest.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

Entry = tuple[float, int, bool | None, Callable[..., None], tuple[Any, ...]]


class Heap:
    """Calls by virtual time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.num_live = 0
        """Entries that are not in the background."""
        self.live_at = 0.0
        """When the last of these was due."""
        self._entries: list[Entry] = []
        self._serial = 0
        self._num_idle = 0
        self._void: set[int] = set()

    def __len__(self) -> int:
        """Without what is idle or cancelled."""
        return len(self._entries) - self._num_idle - len(self._void)

    @property
    def has_idle(self) -> bool:
        """Whether anything idle is left."""
        return self._num_idle > 0

    def at(self, delay_s: float, call: Callable[..., None], *args: Any) -> int:
        """Call it after so much time. Returns a number for `cancel`."""
        self._serial += 1
        self.num_live += 1
        heapq.heappush(self._entries, (self.now + delay_s, self._serial, True, call, args))
        return self._serial

    def at_time(self, time_s: float, call: Callable[..., None], *args: Any) -> None:
        """Call it at that time, or now if that is over."""
        self._serial += 1
        self.num_live += 1
        heapq.heappush(self._entries, (max(time_s, self.now), self._serial, True, call, args))

    def cancel(self, number: int) -> None:
        """Do not call what is still due under this number of `at`."""
        self._void.add(number)
        self.num_live -= 1

    def look_after(self, delay_s: float, call: Callable[..., None], *args: Any) -> None:
        """Call it after so much time, in the background."""
        self._serial += 1
        heapq.heappush(self._entries, (self.now + delay_s, self._serial, False, call, args))

    def idle_at_time(self, time_s: float, call: Callable[..., None], *args: Any) -> None:
        """Call it at that time, or now if that is over, as one of the things that go on for ever."""
        self._serial += 1
        self._num_idle += 1
        heapq.heappush(self._entries, (max(time_s, self.now), self._serial, None, call, args))

    def next_time(self) -> float:
        """When the next entry is due."""
        return self._entries[0][0]

    def step(self) -> bool:
        """Go on to the next entry and call it; whether it was neither in the background nor idle."""
        time_s, serial, live, call, args = heapq.heappop(self._entries)
        if serial in self._void:
            self._void.discard(serial)
            return False
        self.now = time_s
        if live:
            self.num_live -= 1
            self.live_at = time_s
        elif live is None:
            self._num_idle -= 1
        call(*args)
        return bool(live)

    def waiting(self) -> list[str]:
        """What still waits here, by name, without what is idle."""
        entries = [call for _, serial, live, call, _ in self._entries if live is not None and serial not in self._void]
        return sorted(getattr(call, "__qualname__", repr(call)) for call in entries)
