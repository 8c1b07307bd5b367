"""The clock of one node: it may jump, and run faster or slower than the others."""

from __future__ import annotations

import attrs

from triort.testing._tier1.heap import Heap

MARGIN_S = 1e-9


@attrs.define(eq=False)
class Clock:
    """Local time as a straight line over virtual time."""

    heap: Heap
    rate: float = 1.0
    _since: float = 0.0
    _local: float = 0.0

    @property
    def now(self) -> float:
        """The time on this clock."""
        if self.rate == 1.0 and self._since == self._local:
            return self.heap.now
        return self._local + (self.heap.now - self._since) * self.rate

    def delay_until(self, local_s: float) -> float:
        """How much virtual time is left until this clock shows that, as it runs now, and a little more: a sum of times
        may be a bit less than it should."""
        return max(local_s - self.now, 0.0) / self.rate + MARGIN_S

    def jump(self, by_s: float) -> None:
        """Set it forward (or, as far as it goes, back)."""
        self._since, self._local = self.heap.now, self.now + by_s

    def drift(self, rate: float) -> None:
        """From now on it runs so many times as fast."""
        self._since, self._local, self.rate = self.heap.now, self.now, rate
