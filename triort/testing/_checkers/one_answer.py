"""An entry leaves by exactly one terminal message: no answer comes for a task that nobody asks for any more.

What is still on its way over a link that has ended is not read, so that is no exception.
"""

from __future__ import annotations

from triort.testing._checkers.books import SILENT
from triort.testing._events import Event, Kind
from triort.testing._plan.plan import FaultKind
from triort.testing._run import Checker, World

MARK = "an answer comes for a task that nobody asks for any more"


class OneAnswer(Checker):
    """Holds at any time, unless a fault brings answers to those who do not know of the task."""

    name = "one_answer"
    kinds = frozenset({Kind.MARK})

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        unfit = SILENT | {FaultKind.CRASH_SERVER}
        self._is_off = any(fault.kind in unfit for fault in world.plan.faults)

    def see(self, event: Event) -> None:
        """Has it come?"""
        if event.what == MARK and not self._is_off:
            self.fail("an answer has come for a task that has been answered for")
