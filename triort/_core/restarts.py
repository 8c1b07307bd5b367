"""How fast workers that die are replaced: at once, and slowly when too many have died within a while."""

from __future__ import annotations

from collections import deque

import attrs

from triort._model.limits import RESTART_DELAY_S, RESTART_WINDOW_S, RESTARTS_MAX


@attrs.define(eq=False)
class Restarts:
    """The restarts of one node within the last `RESTART_WINDOW_S`."""

    _times: deque[float] = attrs.Factory(deque)
    _told_at: float | None = None

    def note(self, now: float) -> float:
        """One more worker is to be started; returns after how long."""
        self._times.append(now)
        while self._times[0] < now - RESTART_WINDOW_S:
            self._times.popleft()
        return RESTART_DELAY_S if len(self._times) > RESTARTS_MAX else 0.0

    def news(self, now: float) -> str:
        """What those above are to be told after `note`: once in each window in which there are too many."""
        if len(self._times) <= RESTARTS_MAX or (self._told_at is not None and now < self._told_at + RESTART_WINDOW_S):
            return ""
        self._told_at = now
        return f"{len(self._times)} workers lost within {RESTART_WINDOW_S:g} s; they are replaced slowly from now on"
