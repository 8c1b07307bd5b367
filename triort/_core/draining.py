"""Nodes that are asked to leave: they take no more tasks, and go when those that they have are over.

A request names the node by the path to it from where it is read: at the server ``m7473/m7481.w2``, one level down
``m7481.w2``, at the node itself nothing. Names are unique only among the employees of one boss, so each boss takes one
name off the path.

A *worker* counts in no capacity from then on. It hands back what it has not started, and is dismissed when its tasks
are over. A *manager* tells its boss that it has no workers, hands back what it was given and has not started, and asks
those below to do so, too. What runs there may still submit children: these go up as far as the boss wants them, and run
below where nobody else is idle; so what runs comes to its end also when this is the last node of all. When its books
are empty the manager says so. Its boss dismisses it then, having read all that came before: who ended by itself would
take along what the network has not delivered yet.

To leave is no failure: the boss neither replaces the worker nor dials the manager again.

A worker that is to be replaced after so many tasks is *spent* when it has been given the last of them. It is given one
at a time, and leaves like any other. Another one is started when it has ended its last task, or waits in it for tasks
elsewhere, which may need the other one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from triort._core.demand import recall_from_worker
from triort._core.links import Send
from triort._model.messages import DrainReply, DrainRequest, Shutdown, Want
from triort._model.text import readable

if TYPE_CHECKING:
    from triort._core.employee import Employee
    from triort._core.node_core import NodeCore


@attrs.frozen
class _Asker:
    """Whom to answer."""

    conn: object
    request: int


@attrs.frozen
class _Passed:
    """A request that was passed on to an employee; ``is_its_own``: it is the one to leave, whoever still asks."""

    asker: _Asker | None
    employee: object
    is_its_own: bool


@attrs.define(eq=False)
class DrainDesk:
    """The open requests of one node, and whether it is leaving itself."""

    core: NodeCore
    is_leaving: bool = False
    _own: list[_Asker] = attrs.Factory(list)
    _passed: dict[int, _Passed] = attrs.Factory(dict)
    _workers: dict[object, list[_Asker]] = attrs.Factory(dict)
    """Who asked for the end of a worker, by its link."""
    _dismissed: set[object] = attrs.Factory(set)
    _spent: set[object] = attrs.Factory(set)
    """The links of workers that are leaving because they are spent, and have no successor yet."""
    successors: int = 0
    """How many workers are to be started in the places of spent ones."""
    _serial: int = 0

    @property
    def is_busy(self) -> bool:
        """Whether somebody here is leaving."""
        return self.is_leaving or bool(self._workers)

    def ask(self, request: int, path: str, conn: object) -> None:
        """Somebody on ``conn`` wants the node at this path to leave."""
        core, asker = self.core, _Asker(conn, request)
        if not path:
            self._leave(asker)
            return
        for employee in core.employees:
            if path != employee.name and not path.startswith(f"{employee.name}/"):
                continue
            rest = path[len(employee.name) + 1 :]
            if employee.kind == "manager":
                self._pass_on(employee, asker, rest)
                return
            if not rest:
                self._drain_worker(employee, asker)
                return
        self._answer(asker, f"{core.name} has no node called '{readable(path)}' below it")

    def answer(self, conn: object, message: DrainReply) -> None:
        """An employee has answered; nobody answers what another one was asked."""
        passed = self._passed.get(message.request)
        if passed is None or passed.employee != conn:
            return
        if passed.is_its_own and not message.problem:  # it is empty, and all that it had to say has come before this
            self._dismiss(passed.employee)
            return
        del self._passed[message.request]
        self._answer(passed.asker, message.problem)

    def drop(self, conn: object) -> None:
        """A link has ended: whoever was at its end has left, and waits for nothing."""
        self._own = [asker for asker in self._own if asker.conn != conn]
        self._workers = {worker: [a for a in askers if a.conn != conn] for worker, askers in self._workers.items()}
        for asker in self._workers.pop(conn, ()):
            self._answer(asker)
        self._dismissed.discard(conn)
        if conn in self._spent:
            self._spent.discard(conn)
            self.successors += 1
        for number, passed in list(self._passed.items()):
            if passed.employee == conn:
                del self._passed[number]
                self._answer(passed.asker, "" if passed.is_its_own else "the link on the way to it has ended")
            elif passed.asker is not None and passed.asker.conn == conn:
                self._passed[number] = attrs.evolve(passed, asker=None)

    def retire(self, spent: list[Employee]) -> None:
        """These workers have been given their last task."""
        for employee in spent:
            if employee.conn in self.core.conn_to_employee_dict:
                self._workers.setdefault(employee.conn, [])
                self._spent.add(employee.conn)
                employee.waits = False
                _retire(employee)

    def take_successors(self) -> int:
        """How many workers are to be started now."""
        count, self.successors = self.successors, 0
        return count

    def hand_back(self) -> None:
        """This node is leaving: what it was given and has not started goes back, and what is new goes up as far as it
        is wanted there."""
        core = self.core
        boss = core.boss
        if boss is None:
            return
        core.hops.give_back(boss, len(core.backlog))
        while core.want_credit > 0 and (attempt := core.backlog.pop_shallowest_new()) is not None:
            core.want_credit -= 1
            boss.place(attempt)

    def settle(self) -> None:
        """At the end of a batch of events: dismiss the workers whose tasks are over; end if all here are."""
        core = self.core
        for conn in [conn for conn in self._workers if conn not in self._dismissed]:
            employee = core.conn_to_employee_dict[conn]
            link = employee.link
            if conn in self._spent and (employee.waits or not link.sent):
                self._spent.discard(conn)
                self.successors += 1
            if not link.sent and not link.received:
                self._dismiss(conn)
        if self.is_leaving and not core.backlog and not self._has_tasks():
            for asker in self._own:
                self._answer(asker)
            self._own.clear()

    def capacity(self) -> tuple[int, int]:
        """How many workers are idle, of how many, as the boss is to hear it: none once this node is leaving."""
        idle = workers = 0
        if not self.is_leaving:
            for employee in self.core.employees:
                idle += employee.num_idle_workers
                workers += employee.num_workers
        return idle, workers

    # -- inside --------------------------------------------------------------------------------------------------

    def _dismiss(self, conn: object) -> None:
        if conn not in self._dismissed:
            self._dismissed.add(conn)
            self.core.outbox.append(Send(conn, Shutdown(), ()))

    def _has_tasks(self) -> bool:
        links = [employee.link for employee in self.core.employees]
        if self.core.boss is not None:
            links.append(self.core.boss)
        return any(link.sent or link.received for link in links)

    def _leave(self, asker: _Asker) -> None:
        core = self.core
        if core.boss is None:
            self._answer(asker, f"{core.name} has no boss: end it itself")
            return
        self._own.append(asker)
        if self.is_leaving:
            return
        self.is_leaving = True
        for employee in core.employees:
            self._recall(employee)
        core.schedule_tasks([])

    def _pass_on(self, employee: Employee, asker: _Asker, rest: str) -> None:
        self._serial += 1
        self._passed[self._serial] = _Passed(asker, employee.conn, not rest)
        if not rest:
            _retire(employee)
        self.core.outbox.append(Send(employee.conn, DrainRequest(self._serial, rest), ()))

    def _drain_worker(self, employee: Employee, asker: _Asker) -> None:
        self._workers.setdefault(employee.conn, []).append(asker)
        if not employee.draining:
            _retire(employee)
            self._recall(employee)

    def _recall(self, employee: Employee) -> None:
        """Ask for what has not started."""
        core, count = self.core, len(employee.link.sent)
        if not count:
            return
        if employee.kind == "worker":
            recall_from_worker(core, employee)
        else:
            employee.recalled, employee.recalled_at = count, core.now
            core.outbox.append(Send(employee.conn, Want(0, count), ()))

    def _answer(self, asker: _Asker | None, problem: str = "") -> None:
        if asker is not None:
            self.core.outbox.append(Send(asker.conn, DrainReply(asker.request, problem), ()))


def _retire(employee: Employee) -> None:
    """It counts in no capacity any more."""
    employee.draining = True
    employee.num_workers = employee.num_idle_workers = employee.idle_before = 0
