"""Swarms: which faults, and which features of the load, a random plan may have.

A test that has a little of everything tests few things well: one kind of event keeps others from building up. So each
seed has some kinds on and the others off, evenly, and each that is on its own intensity.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import attrs

from triort._model.errors import UsageError
from triort.testing._plan.draws import Draws
from triort.testing._plan.plan import FaultKind

FEATURES = (
    "jobs",  # several jobs
    "clients",  # of several clients
    "later",  # some of them submitted later
    "items",  # of several items
    "sync",  # sync tasks
    "functions",  # g and h beside f
    "how",  # ways to submit and wait other than map
    "open",  # batches that are not waited for
    "catch",
    "cancel_after",
    "talk",
    "shared",
    "priority",
    "retries",
    "timeout",
    "crash_limit",
    "at_most_once",
    "fails",
    "poison",  # tasks that kill their worker; for ever only items
    "stubborn",  # tasks that ignore a cancel; beyond the grace time only items
    "say",
)
OPT_IN = ("deadly",)  # such tasks below items: as long as jobs have no crash budget, these may go on for ever
"""Features that are on only where they are asked for."""


@attrs.frozen
class Swarm:
    """Some names of a family, and how likely each of them is on."""

    names: tuple[str, ...]
    chance: float = 0.5

    def drawn(self, draws: Draws, family: str) -> list[str]:
        """The names that are on for a seed; whether one is does not depend on the others."""
        return [name for name in self.names if draws.chance(self.chance, family, name, "on")]

    def also(self, *names: str) -> Swarm:
        """The same, and these."""
        known = (*FEATURES, *OPT_IN, *(kind.value for kind in FaultKind))
        return Swarm(tuple(dict.fromkeys((*self.names, *_check("name", names, known)))), self.chance)

    def without(self, *names: str) -> Swarm:
        """The same, but for these."""
        _check("name", names, self.names)
        return Swarm(tuple(name for name in self.names if name not in names), self.chance)


class Faults:
    """Which faults a random plan has."""

    @staticmethod
    def none() -> Swarm:
        """No faults."""
        return Swarm(())

    @staticmethod
    def swarm() -> Swarm:
        """Each kind with probability ½, but for the server's crash, which takes all jobs along if it has no journal."""
        return Swarm(tuple(kind.value for kind in FaultKind if kind is not FaultKind.CRASH_SERVER))

    @staticmethod
    def only(*kinds: str) -> Swarm:
        """All of these kinds, and no others; raises `UsageError` for an unknown one."""
        return Swarm(_check("fault kind", kinds, [kind.value for kind in FaultKind]), 1.0)


class Features:
    """What the load of a random plan has beside values and batches."""

    @staticmethod
    def none() -> Swarm:
        """Nothing: one job of async tasks that compute, all of which end with a value."""
        return Swarm(())

    @staticmethod
    def swarm() -> Swarm:
        """Each feature with probability ½."""
        return Swarm(FEATURES)

    @staticmethod
    def only(*features: str) -> Swarm:
        """All of these, and no others; raises `UsageError` for an unknown one."""
        return Swarm(_check("feature", features, (*FEATURES, *OPT_IN)), 1.0)


def _check(what: str, names: Iterable[str], known: Sequence[str]) -> tuple[str, ...]:
    checked = tuple(dict.fromkeys(str(name) for name in names))
    for name in checked:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {close[0]!r}?" if close else "."
            raise UsageError(f"unknown {what} {name!r}{hint} There are: {', '.join(known)}")
    return checked
