"""How the state of the node tree is gathered: a request goes down to all managers, the answers come up as one tree.

Managers are asked once at a time. Who asks meanwhile waits for the next round, which is for all of these: what they are
told is never older than their request, and however many ask, managers have one request to answer. Who has not answered
within `STATUS_ANSWER_S` is told of as its boss sees it, and is not asked again before it has answered.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import msgspec

from triort._core.links import Send
from triort._core.status_tree import fitting
from triort._model.errors import ProtocolError
from triort._model.limits import STATUS_ANSWER_S, STATUS_WAITING_MAX, bounded
from triort._model.messages import NodeStatus, StatusReply, StatusRequest

if TYPE_CHECKING:
    from triort._core.employee import Employee
    from triort._core.node_core import NodeCore


RATE_MIN_S = 0.5
"""A rate over less time than this is told, but the next one still begins where it began."""


Asker = tuple[int, object]
"""The number of a request, and over which link it has come."""


@attrs.define(eq=False)
class _Round:
    askers: list[Asker]
    missing: set[object]
    answers: dict[object, NodeStatus]


@attrs.define(eq=False)
class StatusDesk:
    """The open status requests of one node."""

    core: NodeCore
    rounds: dict[int, _Round] = attrs.Factory(dict)
    """The one that is under way, if there is one."""
    waiting: list[Asker] = attrs.Factory(list)
    serial: int = 0
    due: float = math.inf
    """When nobody waits any more for those who have not answered."""
    slow: set[object] = attrs.Factory(set)
    """Who has not answered in time, and not since."""

    def ask(self, request: int, conn: object) -> None:
        """Somebody on ``conn`` wants the state of this node and all below it; raises `ProtocolError` for one that asks
        on and on."""
        if not self.rounds:
            self._begin([(request, conn)])
        elif sum(conn == other for _, other in self.waiting) < STATUS_WAITING_MAX:
            self.waiting.append((request, conn))
        else:
            raise ProtocolError(f"more than {STATUS_WAITING_MAX} requests for the status at once")

    def _begin(self, askers: list[Asker]) -> None:
        managers = [each for each in self.core.managers if not each.is_stalled and each.conn not in self.slow]
        self.serial += 1
        number = self.serial
        self.due = self.core.now + STATUS_ANSWER_S
        self.rounds[number] = _Round(askers, {employee.conn for employee in managers}, {})
        for employee in managers:
            self.core.outbox.append(Send(employee.conn, StatusRequest(number), ()))
        self._finish(number)

    def answer(self, employee: Employee, message: StatusReply) -> None:
        """A manager below has answered."""
        self.slow.discard(employee.conn)
        current = self.rounds.get(message.request)
        if current is not None and employee.conn in current.missing:
            current.missing.discard(employee.conn)
            current.answers[employee.conn] = msgspec.structs.replace(message.status, name=employee.name)
            self._finish(message.request)

    def drop(self, conn: object) -> None:
        """A link has ended; nobody waits for it any more, nor does it wait."""
        for askers in (self.waiting, *(current.askers for current in self.rounds.values())):
            askers[:] = [asker for asker in askers if asker[1] != conn]
        self.do_without(conn)
        self.slow.discard(conn)

    def expire(self) -> None:
        """Time has passed: who has not answered by now is slow."""
        if self.core.now >= self.due:
            missing = {conn for current in self.rounds.values() for conn in current.missing}
            self.slow |= missing
            for conn in missing:
                self.do_without(conn)

    def do_without(self, conn: object) -> None:
        """Nothing comes over this link, for a while at least: nobody waits for it."""
        for number, current in list(self.rounds.items()):
            if conn in current.missing:
                current.missing.discard(conn)
                self._finish(number)

    def _finish(self, number: int) -> None:
        current = self.rounds[number]
        if not current.missing:
            del self.rounds[number]
            self.due = math.inf
            if current.askers:
                status = self.status(current.answers)
                self.core.outbox += [Send(conn, StatusReply(request, status), ()) for request, conn in current.askers]
            if self.waiting:
                askers, self.waiting = self.waiting, []
                self._begin(askers)

    def status(self, answers: dict[object, NodeStatus]) -> NodeStatus:
        """This node's own state, with what its managers have answered."""
        core = self.core
        employees = [answers.get(employee.conn) or _of_employee(employee, core.now) for employee in core.employees]
        return NodeStatus(
            core.name,
            core.kind,
            core.pid,
            core.total_workers,
            core.num_idle_workers,
            sum(employee.num_tasks for employee in core.employees) + core.backlog.num_waiting,
            core.backlog.num_waiting,
            restarts=core.restarts,
            done=bounded(sum(each.done for each in employees)),
            rate=sum(each.rate for each in employees),
            employees=fitting(employees),
            losses=core.losses,
            blamed=core.blamed,
            state="draining" if core.drains.is_leaving else "",
        )


def _of_employee(employee: Employee, now: float) -> NodeStatus:
    since, done_then = employee.mark
    elapsed_s = now - since
    rate = (employee.done - done_then) / elapsed_s if elapsed_s > 0 else 0.0
    if elapsed_s >= RATE_MIN_S:
        employee.mark = now, employee.done
    return NodeStatus(
        employee.name,
        employee.kind,
        employee.pid,
        employee.num_workers,
        employee.num_idle_workers,
        employee.num_tasks,
        0,
        employee.running,
        done=employee.done,
        rate=rate,
        memory_bytes=employee.memory_bytes,
        state=_state_of(employee),
    )


def _state_of(employee: Employee) -> str:
    """What is unusual about it."""
    states = (employee.is_stalled, "stalled"), (employee.draining, "draining"), (employee.is_extra, "for a suspect")
    return next((text for is_so, text in states if is_so), "")
