"""An alarm of one node: set to one time on its clock, or to none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from triort.testing._tier1.clocks import Clock


class Alarm:
    """Calls ``ring`` when the clock has reached a time; setting it anew forgets the time before."""

    __slots__ = ("_args", "_clock", "_due", "_number", "_ring")

    def __init__(self, clock: Clock, ring: Callable[..., None], *args: Any) -> None:
        self._clock = clock
        self._ring = ring
        self._args = args
        self._due: float | None = None
        self._number = 0

    def set(self, due: float | None) -> None:
        """Ring at ``due`` on the clock, never if None."""
        if due != self._due:
            self._drop()
            self._due = due
            if due is not None:
                self._number = self._clock.heap.at(self._clock.delay_until(due), self._go_off)

    def set_again(self) -> None:
        """The clock has been changed."""
        due = self._due
        self.set(None)
        self.set(due)

    def _drop(self) -> None:
        if self._due is not None:
            self._clock.heap.cancel(self._number)
            self._due = None

    def _go_off(self) -> None:
        due, self._due = self._due, None
        if due is not None and self._clock.now < due:
            self.set(due)
        else:
            self._ring(*self._args)
