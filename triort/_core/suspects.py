"""Where a task runs that was on the CPU of a worker when that died: alone, on a fresh worker.

So its next crash costs nobody else's work, and what it leaves behind in a process harms nobody. Its owner marks the
next attempt (``Attempt.alone``). The first node on its way that has workers keeps it aside, has an *extra* worker
started, gives it this one task, and dismisses it afterwards. An extra worker is in no count of workers, so nothing else
is placed there; it is not replaced, for with the next attempt comes the next one.

**Children** of a suspect run on other workers: else a child that kills would be told as the crash of its parent, for
the boss knows only what it has placed itself. They leave as the boss wants them, like all offers, so a suspect with a
million children floods nobody.

**No deadlock.** At most `SUSPECTS_MAX` suspects at once hold a CPU here. One that waits for its children holds none and
does not count, or a chain of suspects, each of which waits for the next, would wait for ever. Its children need the
node's ordinary workers, of which there are as many as without suspects, and these never wait for a place here. What a
suspect does that holds its worker for long (compute, or listen to a parent that waits for another suspect) nobody can
know; so whoever has waited for `SUSPECT_WAIT_S` gets an extra worker beyond the two, and where there are
`SUSPECT_WORKERS_MAX` of them or none can be started, a place among the others: the rule serves blame, not safety.

**Nodes that cannot start workers** (theirs connect by themselves): the suspect gets an idle worker that has nothing
else, which counts as none until the suspect waits or ends. If there is no such worker within `SUSPECT_WAIT_S`, any will
do.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

from triort._core.links import Send
from triort._model.limits import SUSPECT_WAIT_S, SUSPECT_WORKERS_MAX, SUSPECTS_MAX
from triort._model.marks import sometimes
from triort._model.messages import Shutdown

if TYPE_CHECKING:
    from triort._core.employee import Employee
    from triort._core.node_core import NodeCore


class Stage(enum.Enum):
    """What an extra worker is there for."""

    READY = "ready"
    SERVING = "serving"
    DISMISSED = "dismissed"


@attrs.define(eq=False)
class Suspects:
    """The suspects of one node, and the workers that they have for themselves."""

    core: NodeCore
    can_start: bool = False
    """Whether extra workers can be started here."""
    wanted: int = 0
    """How many the node is to start now; it takes them by `take_wanted`."""
    extras: dict[Employee, Stage] = attrs.Factory(dict)
    reserved: list[Employee] = attrs.Factory(list)
    """Ordinary workers that count as none while a suspect has them."""
    _starting: int = 0
    _waiting_since: float | None = None

    # -- what the node tells -------------------------------------------------------------------------------------

    def isolate(self, *, can_start: bool) -> None:
        """This node has workers, and extra ones can be started or not: suspects wait for a place of their own here."""
        self.core.backlog.isolates = True
        self.can_start = can_start

    def give_up(self) -> None:
        """No suspect gets a place of its own here any more; those that wait go where others go."""
        self.core.backlog.isolates = self.can_start = False
        while (attempt := self.core.backlog.pop_aside()) is not None:
            self.core.schedule_tasks([attempt])

    def take_wanted(self) -> int:
        """How many extra workers are to be started; the node has to answer for each by `arrived` or `not_started`."""
        wanted, self.wanted = self.wanted, 0
        return wanted

    def arrived(self, employee: Employee) -> None:
        """An employee has started."""
        if employee.is_extra:
            self._starting -= 1
            self.extras[employee] = Stage.READY

    def not_started(self) -> None:
        """An extra worker has not started; another one is, if somebody still waits for it."""
        self._starting -= 1

    def has_alone(self, employee: Employee) -> bool:
        """Whether what this worker has, it has alone."""
        return employee in self.extras or employee in self.reserved

    def left(self, employee: Employee) -> bool:
        """An employee is gone; false if it was to go."""
        if employee in self.reserved:
            self.reserved.remove(employee)
        return self.extras.pop(employee, None) is not Stage.DISMISSED

    # -- decisions -----------------------------------------------------------------------------------------------

    def next_deadline(self) -> float:
        """When somebody has waited long enough."""
        return float("inf") if self._waiting_since is None else self._waiting_since + SUSPECT_WAIT_S

    def place(self) -> None:
        """Dismiss who has served, give suspects to those who are ready, and say how many more are to be started."""
        backlog = self.core.backlog
        if not (backlog.num_aside or self.extras or self.reserved):
            self._waiting_since = None
            return
        for employee in self.reserved[:]:
            if not employee.link.sent or _is_suspended(employee):
                self._release(employee)
        for employee, stage in self.extras.items():
            if stage is Stage.READY and backlog.num_aside:
                self._give(employee)
                self.extras[employee] = Stage.SERVING
            elif stage is not Stage.DISMISSED and not employee.link.sent:
                self.extras[employee] = Stage.DISMISSED
                self.core.outbox.append(Send(employee.conn, Shutdown(), ()))
        if backlog.num_aside and not self.can_start:
            self._reserve()
        self._wait_or_start()

    def _wait_or_start(self) -> None:
        """Start extra workers as far as there is room; help whoever has waited for too long."""
        core = self.core
        missing = core.backlog.num_aside - self._starting
        if self.can_start and missing > 0:
            busy = sum(1 for each, stage in self.extras.items() if stage is Stage.SERVING and not _is_suspended(each))
            self._start(min(missing, SUSPECTS_MAX - busy - self._starting))
        if self._waiting_since is not None and core.now >= self._waiting_since + SUSPECT_WAIT_S:
            self._waiting_since = None
            if self._is_anyone_stuck() and not self._start(1):
                self._run_anyhow()
        if not self._is_anyone_stuck():
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = core.now

    def _is_anyone_stuck(self) -> bool:
        """Whether suspects wait for whom no worker is on its way."""
        return self.core.backlog.num_aside > (self._starting if self.can_start else 0)

    def _start(self, count: int) -> bool:
        """Ask for so many extra workers; false where none can be had."""
        if not self.can_start:
            return False
        room = SUSPECT_WORKERS_MAX - len(self.extras) - self._starting
        count = max(min(count, room), 0)
        self.wanted += count
        self._starting += count
        return count > 0

    def _give(self, employee: Employee) -> None:
        attempt = self.core.backlog.pop_aside()
        assert attempt is not None
        sometimes("a suspect runs alone on a fresh worker")
        attempt.cost_us = 1
        employee.waits = False
        employee.link.place(attempt)

    def _reserve(self) -> None:
        for employee in self.core.employees:
            if employee.num_idle_workers and employee.kind == "worker" and not employee.num_tasks:
                self.reserved.append(employee)
                employee.num_workers = employee.num_idle_workers = 0
                self._give(employee)
                if not self.core.backlog.num_aside:
                    return

    def _release(self, employee: Employee) -> None:
        """It is an ordinary worker again, an idle one."""
        self.reserved.remove(employee)
        if not employee.draining:
            employee.num_workers = 1
            employee.num_idle_workers = int(_is_suspended(employee))
        self.core.schedule_tasks([])

    def _run_anyhow(self) -> None:
        """Whoever has waited longest runs where others run."""
        attempt = self.core.backlog.pop_aside()
        if attempt is not None:
            sometimes("a suspect runs among others")
            attempt.alone = False
            self.core.schedule_tasks([attempt])


def _is_suspended(employee: Employee) -> bool:
    """Whether all that the worker has waits for others, as far as can be known."""
    return employee.waits and not employee.link.queued and not employee.link.results_unread
