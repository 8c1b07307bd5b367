"""``crash_limit`` is kept: a task is given up when it was to blame so often, and neither earlier nor later.

The count is kept by whoever has submitted the task, and is known by the address; an ancestor that runs twice (once cut
off, and once elsewhere) submits it twice. To blame is what the boss knows to have been on the CPU of a worker that
died: the event of its death names it, by the address. A job that has cost too many workers is given up as a whole, and
soon. Where no death has named any, nothing can be said. A blame may be lost on its way, with a manager or the link of
one; then the count is too low, never too high.
"""

from __future__ import annotations

import math
from collections import Counter

from triort._model.ids import Address, owner_of
from triort._model.limits import JOB_CRASHES_MAX
from triort.testing._checkers.books import options_by_task
from triort.testing._events import Event, Kind
from triort.testing._plan.names import is_worker
from triort.testing._run import Checker, World

COSTS_SPARE = 10
"""How many workers more a job may cost while it is being stopped, beside two for each that there is."""


class CrashLimits(Checker):
    """Holds for all tasks that may run more than once."""

    name = "crash_limits"
    kinds = frozenset({Kind.SUBMIT, Kind.START, Kind.SETTLE, Kind.DIED, Kind.CLOSE})

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        self._options = options_by_task(world.plan)
        self._names: dict[int, str] = {}
        self._blames: Counter[tuple[str, int]] = Counter()
        """By task and the node that has submitted it."""
        self._costs: Counter[str] = Counter()
        """How many workers each job has cost."""
        self._costs_max = JOB_CRASHES_MAX + COSTS_SPARE + 2 * math.prod(world.plan.tree)
        self._may_be_lost = False
        self._names_any = False

    def see(self, event: Event) -> None:
        """Count who is to blame, and compare."""
        match event.kind:
            case Kind.SUBMIT:
                self._blames[_key(event.what, event.number)] = 0
            case Kind.START:
                self._names[event.number] = event.what
                self._check_start(event)
            case Kind.DIED if event.number:
                self._names_any = True
                name = self._names.get(event.number, "")
                self._blames[_key(name, event.number)] += 1
                self._count_cost(name.partition(".")[0])
            case Kind.DIED | Kind.CLOSE if not (is_worker(event.node) or is_worker(event.peer)):
                self._may_be_lost = True
            case Kind.SETTLE if event.detail == "crashed" and event.what in self._options:
                self._check_end(event)

    def _count_cost(self, job: str) -> None:
        self._costs[job] += 1
        if job and self._costs[job] > self._costs_max and not self._may_be_lost:
            self.fail(f"{job} has cost {self._costs[job]} workers, and may cost {JOB_CRASHES_MAX}")

    def _check_start(self, event: Event) -> None:
        options = self._options.get(event.what)
        if options is None or self._may_be_lost:
            return
        blames = self._blames[_key(event.what, event.number)]
        if blames >= options.crash_limit:
            self.fail(f"{event.what} starts on {event.node}, after {blames} crashes it was to blame for")

    def _check_end(self, event: Event) -> None:
        options, blames = self._options[event.what], self._blames[_key(event.what, event.number)]
        if self._costs[event.what.partition(".")[0]] > JOB_CRASHES_MAX:
            return
        if self._names_any and not options.at_most_once and blames < options.crash_limit:
            self.fail(f"{event.what} is given up after {blames} crashes, and may have {options.crash_limit - 1}")


def _key(name: str, address: int) -> tuple[str, int]:
    return name, owner_of(Address(address))
