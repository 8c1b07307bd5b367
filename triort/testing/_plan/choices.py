"""The choices of a random load: which features are on, how often each shows, and what it looks like then."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from triort._model.limits import GRACE_S
from triort.testing._plan.draws import Draws
from triort.testing._plan.plan import Task
from triort.testing._plan.risks import is_longer_than_grace
from triort.testing._plan.spans import extent_of
from triort.testing._plan.swarm import Swarm

GENEROUS_S = 100_000.0
STUBBORN_SLOWNESS = 20.0
"""A stubborn task that is to end by itself does so even where all goes so much slower."""
HOP_S = 1e-4
CRASH_LIMIT = 1_000_000
DURATIONS = ("tiny", "short", "heavy", "mixed")
HOWS = ("next", "as_completed", "submit", "nursery")
COMMON = frozenset({"sync", "functions", "how"})
"""Features that, when they are on, show in half of all places; others in less."""


@attrs.frozen
class TaskOptions:
    """Options that jobs and batches have in common, but for the timeout."""

    priority: int = 0
    retries: int = 0
    crash_limit: int = CRASH_LIMIT
    at_most_once: bool = False


@attrs.frozen
class Ways:
    """How a batch is submitted and waited for."""

    how: str = "map"
    wait: bool = True
    catch: bool = False
    cancel_after_s: float | None = None


class Choices:
    """The draws of one seed for a load of about ``size`` tasks."""

    def __init__(self, draws: Draws, features: Swarm, size: int) -> None:
        self.draws = draws
        self.rates = {name: self._rate(name) for name in features.drawn(draws, "feature")}
        self.few_chance = {name: draws.uniform(0.5, 3.0, "few", name) / size for name in self.rates}
        self.durations = draws.choice(DURATIONS, "durations")
        self.unit_s = draws.choice((1e-4, 1e-3, 8e-3), "durations", "unit")
        self.width = draws.choice((2, 3, 5, 10), "width")

    def _rate(self, feature: str) -> float:
        low, high = (0.3, 0.7) if feature in COMMON else (0.1, 0.5)
        return self.draws.uniform(low, high, "rate", feature)

    def is_on(self, feature: str) -> bool:
        """Whether the load has it at all."""
        return feature in self.rates

    def some(self, feature: str, name: str) -> bool:
        """Whether it shows here: in many places."""
        rate = self.rates.get(feature)
        return rate is not None and self.draws.chance(rate, name, feature)

    def few(self, feature: str, name: str) -> bool:
        """Whether it shows here: in a few places of the whole load."""
        chance = self.few_chance.get(feature)
        return chance is not None and self.draws.chance(chance, name, feature)

    # -- tasks ---------------------------------------------------------------------------------------------------

    def seconds(self, name: str, place: int) -> float:
        """How long one step computes; one in eight does not at all."""
        kind = self.durations
        if kind == "mixed":
            kind = self.draws.choice(DURATIONS[:3], name, "duration")
        if self.draws.chance(0.125, name, "nothing", place):
            return 0.0
        if kind == "tiny":
            return _rounded(self.draws.uniform(1e-6, 1e-4, name, "seconds", place))
        if kind == "short":
            return _rounded(self.draws.exponential(self.unit_s, name, "seconds", place))
        return _rounded(self.draws.heavy_tail(self.unit_s, 0.5, name, "seconds", place))

    def long_seconds(self, name: str) -> float:
        """Longer than a hopeless timeout."""
        return _rounded(self.draws.uniform(0.3, 0.6, name, "long"))

    def outlasting_seconds(self, name: str) -> float:
        """Longer than the grace time."""
        return _rounded(self.draws.uniform(1.1, 1.5, name, "outlasting") * GRACE_S)

    def function(self, name: str) -> str:
        """One of the three functions."""
        return self.draws.choice("ggh", name, "function") if self.some("functions", name) else "f"

    def fails(self, name: str, retries: int) -> int:
        """How many tries raise: now and then too many, and where there are retries often no more than these."""
        if not self.is_on("fails"):
            return 0
        if retries and self.draws.chance(0.3, name, "fails", "retried"):
            return self.draws.between(1, retries, name, "fails", "tries")
        if self.few("fails", name):
            return (
                -1 if self.draws.chance(0.5, name, "fails", "all") else self.draws.between(1, 3, name, "fails", "some")
            )
        return 0

    # -- batches and jobs ----------------------------------------------------------------------------------------

    def talk(self, name: str) -> int:
        """How many messages the children of a batch get."""
        return self.draws.between(1, 3, name, "talk", "messages") if self.some("talk", name) else 0

    def ways(self, name: str) -> Ways:
        """How a batch is submitted and waited for; what is left open is no nursery."""
        wait = not self.some("open", name)
        how = self.draws.choice(HOWS, name, "how", "which") if self.some("how", name) else "map"
        cancel_after_s = None
        if self.some("cancel_after", name) and self.draws.chance(0.5, name, "cancel_after", "too"):
            cancel_after_s = _rounded(self.draws.exponential(self.unit_s, name, "cancel_after", "seconds"))
        catch = wait and self.some("catch", name)
        return Ways(how if wait or how == "submit" else "map", wait, catch, cancel_after_s)

    def options(self, name: str, retries_max: int, *, is_mortal: bool) -> TaskOptions:
        """Priority, retries and what happens after crashes."""
        draws = self.draws
        priority = draws.between(-2, 2, name, "priority", "which") if self.some("priority", name) else 0
        retries = draws.between(1, retries_max, name, "retries", "tries") if self.some("retries", name) else 0
        limit = CRASH_LIMIT
        if is_mortal:
            limit = 2 if draws.chance(0.3, name, "mortal", "limit") else 1
        elif self.some("crash_limit", name):
            limit = draws.between(1, 3, name, "crash_limit", "crashes")
        return TaskOptions(priority, retries, limit, self.some("at_most_once", name))

    def is_hopeless(self, name: str) -> bool:
        """Whether the timeout of a batch or job is one that its first child cannot meet."""
        return self.some("timeout", name) and self.draws.chance(0.15, name, "timeout", "hopeless")

    def timeout(self, name: str, tasks: Sequence[Task]) -> float | None:
        """The timeout of these tasks, if any: hopeless, racy or generous."""
        if not self.some("timeout", name):
            return None
        if self.is_hopeless(name):
            return _rounded(self.draws.uniform(0.02, 0.09, name, "timeout", "seconds"))
        if self.draws.chance(0.6, name, "timeout", "generous"):
            return GENEROUS_S
        longest_s = max(extent.longest_s + HOP_S * extent.depth for extent in map(extent_of, tasks))
        return _rounded(longest_s * self.draws.uniform(0.3, 4.0, name, "timeout", "margin"))


def may_outlast_grace(task: Task) -> bool:
    """Whether the task, if it were stubborn, might be killed for that on a slow node."""
    return is_longer_than_grace(task, STUBBORN_SLOWNESS)


def _rounded(seconds: float) -> float:
    """Whole microseconds read well."""
    return round(seconds, 6)
