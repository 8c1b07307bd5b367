"""The schedule: trio's shuffle of its ready tasks, put under a policy, counted and recorded.

For each batch of ready tasks trio sorts them by creation, calls ``shuffle(batch)`` on its `Random`, and runs them
from the END of the list. We put a shuffle of our own on that one instance; its class, and all other instances, stay
as they are.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import attrs
from trio.lowlevel import Task

from triort._model.errors import UsageError
from triort.testing._trio.blocked import without_addresses
from triort.testing._trio.failures import Livelock
from triort.testing._trio.policies import Fifo, Policy, Priorities, Script, Shuffled

BATCHES_AT_ONCE_MAX = 100_000
BATCHES_BETWEEN_PAUSES = 20_000
NAMES_MAX = 8


class Time(Protocol):
    """What a schedule wants of a clock."""

    now: float

    def fail(self, error: BaseException) -> None:
        """End the run with this error."""

    def insist(self) -> None:
        """It has not ended."""


@attrs.define(eq=False, repr=False)
class Schedule:
    """One run's order of tasks: draws each batch's order from its policy; counts, and records if asked to.

    Only batches of at least two tasks offer a choice; they are numbered from 0.
    """

    policy: Policy
    record: bool = False
    """Keep the orders that are not that of creation, in ``deviations``; many in a large run."""
    batches_at_once_max: int = BATCHES_AT_ONCE_MAX
    """So many batches without the clock moving are a livelock."""
    deviations: dict[int, list[int]] = attrs.field(factory=dict, init=False)
    num_batches: int = attrs.field(default=0, init=False)
    """How often trio has called our shuffle."""
    num_choices: int = attrs.field(default=0, init=False)
    _time: Time | None = attrs.field(default=None, init=False)
    _pause: Callable[[], object] | None = attrs.field(default=None, init=False)
    _next_pause: int = attrs.field(default=BATCHES_BETWEEN_PAUSES, init=False)
    _instant: float = attrs.field(default=math.nan, init=False)
    _turn: int = attrs.field(default=0, init=False)

    def attach(self, time: Time, pause: Callable[[], object]) -> None:
        """Belong to the run of this clock; ``pause`` is called once in a while, between two batches."""
        if self._time is not None:
            raise UsageError("a schedule is for one run: make a new one")
        self._time = time
        self._pause = pause

    def shuffle(self, batch: list[Task]) -> None:
        """What trio calls: put the batch in order, its last task to run first."""
        time = self._time
        assert time is not None, "attached before trio runs"
        now = time.now
        self.num_batches = count = self.num_batches + 1
        if now != self._instant:
            self._instant = now
            self._turn = 0
        else:
            self._turn += 1
            if self._turn >= self.batches_at_once_max:
                self._stop_turning(time, batch)
        if count >= self._next_pause:
            self._take_a_pause()
        if len(batch) > 1:
            self._arrange(batch, now)

    def _arrange(self, batch: list[Task], now: float) -> None:
        number = self.num_choices
        self.num_choices = number + 1
        order = self.policy.order(batch, number, now, self._turn)
        if order is None:
            batch.reverse()
            return
        if self.record and list(order) != list(range(len(batch))):
            self.deviations[number] = list(order)
        batch[:] = [batch[position] for position in reversed(order)]

    def _stop_turning(self, time: Time, batch: list[Task]) -> None:
        if self._turn % self.batches_at_once_max:
            return
        if self._turn > self.batches_at_once_max:
            time.insist()  # being cancelled has not stopped it
            return
        names = sorted({without_addresses(task.name) for task in batch})
        some = ", ".join(names[:NAMES_MAX]) + (", …" if len(names) > NAMES_MAX else "")
        text = (
            f"livelock at {time.now:g} s: {self._turn} batches of tasks have run and time stands still; ready: {some}"
        )
        time.fail(Livelock(text))

    def _take_a_pause(self) -> None:
        self._next_pause = self.num_batches + BATCHES_BETWEEN_PAUSES
        if self._pause is not None:
            self._pause()

    @contextmanager
    def on(self, chance: random.Random) -> Iterator[None]:
        """Be the shuffle of trio's `Random` inside."""
        own = vars(chance)
        if "shuffle" in own:
            raise UsageError("another simulation holds trio's Random")
        own.update(shuffle=self.shuffle, random=_coin)
        try:
            yield
        finally:
            del own["shuffle"], own["random"]


def _coin() -> float:
    """Trio tosses one where it does not shuffle: whether to reverse a batch. It shows "no"."""
    return 0.5


def schedule_named(
    name: str, seed: int, script: Mapping[int, Sequence[int]] | None = None, *, record: bool = False
) -> Schedule:
    """The schedule that a plan names: random, fifo, pct or script."""
    match name:
        case "random":
            return Schedule(Shuffled(seed), record=record)
        case "fifo":
            return Schedule(Fifo(), record=record)
        case "pct":
            return Schedule(Priorities(seed), record=record)
        case "script":
            return Schedule(Script(script or {}), record=record)
        case _:
            raise UsageError(f"no schedule is called {name!r}; there are random, fifo, pct and script")
