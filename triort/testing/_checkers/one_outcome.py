"""Every task has exactly one outcome at its parent: for each time that a parent submits it, it settles at most once.

A parent that runs again submits its children again, perhaps on the same worker, but never before the former ones have
settled there: its own outcome waits for theirs. That none stays without an outcome is checked by `all_ends`.
"""

from __future__ import annotations

from triort.testing._events import Event, Kind
from triort.testing._run import Checker, World


class OneOutcome(Checker):
    """Holds for each parent, wherever it runs, and for each client."""

    name = "one_outcome"
    kinds = frozenset({Kind.SUBMIT, Kind.SETTLE, Kind.DIED})

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        self._open: dict[str, set[str]] = {}
        """By node: what its tasks (or its client) have submitted and not yet been told of."""

    def see(self, event: Event) -> None:
        """Enter what is submitted, and take out what settles."""
        tasks = self._open.setdefault(event.node, set())
        match event.kind:
            case Kind.SUBMIT:
                if event.what in tasks:
                    self.fail(f"{event.peer} submits {event.what} on {event.node} again before that has an outcome")
                tasks.add(event.what)
            case Kind.SETTLE:
                if event.what not in tasks:
                    self.fail(f"{event.what} has an outcome on {event.node} ({event.detail}) that nobody waits for")
                tasks.discard(event.what)
            case Kind.DIED:
                tasks.clear()
