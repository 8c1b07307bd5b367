"""The ways in which one task may end."""

from __future__ import annotations

import attrs

from triort.testing._events import Outcome
from triort.testing._plan.values import Values

NOTHING: frozenset[str] = frozenset()


@attrs.frozen
class Fate:
    """How a task may end at its parent."""

    values: Values
    """Its possible values; None: any."""
    kinds: frozenset[str]
    """The other ways in which it may end."""
    doomed: frozenset[str] = NOTHING
    """Further ways when its job was stopped, or a task above it cancelled for a reason that is no part of the load."""
    is_reached: bool = True
    """False: its parent never gets so far as to submit it."""

    def allows(self, outcome: Outcome, *, doomed: bool = False) -> bool:
        """Whether it may end so; ``doomed``: its job was stopped, or its parent is cancelled itself, or cut off."""
        if not self.is_reached:
            return False
        if outcome.kind == "value":
            return self.values is None or outcome.value in self.values
        return outcome.kind in self.kinds or (doomed and outcome.kind in self.doomed)

    @property
    def only(self) -> Outcome | None:
        """The one outcome that it may have; None when there are several, or none because it is never submitted."""
        if not self.is_reached or self.values is None or len(self.values) + len(self.kinds) != 1:
            return None
        return Outcome("value", next(iter(self.values))) if self.values else Outcome(next(iter(self.kinds)))

    def __str__(self) -> str:
        if not self.is_reached:
            return "never submitted"
        values = ["any value"] if self.values is None else [f"value {value}" for value in sorted(self.values)]
        return " or ".join([*values, *sorted(self.kinds)])
