"""A check that always fails, as a plugin of pytest: ``pytest sim -p sim.mutants.canary`` has to fail.

If that passes, failures are not reported, and no other result means anything.
"""

from __future__ import annotations

from triort.testing import _checkers
from triort.testing._events import Event, Kind
from triort.testing._run import Checker


class Canary(Checker):
    """Fails with the first start of a task."""

    name = "canary"
    kinds = frozenset({Kind.START})

    def see(self, event: Event) -> None:
        """Fail."""
        self.fail(f"{event.what} has started, and this check always fails")


_checkers.EVENT_CHECKERS = (*_checkers.EVENT_CHECKERS, Canary)
