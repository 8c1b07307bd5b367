"""Every queue keeps its bound: what is given on credit, what is offered, and each counter of the books."""

from __future__ import annotations

from triort._core.employee import Employee
from triort._core.node_core import NodeCore
from triort._core.placement import COSTS_MAX
from triort._core.worker_core import WorkerCore
from triort._model.limits import CREDIT_PLENTY_US, CREDIT_TASKS_MAX, OFFERS_MAX, OFFERS_MIN
from triort.testing._plan.plan import FaultKind
from triort.testing._run import Checker, World


class QueuesBounded(Checker):
    """Holds at any time."""

    name = "queues_bounded"

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        plan = world.plan
        joined = sum(max(fault.factor, 1.0) for fault in plan.faults if fault.kind is FaultKind.JOIN_MANAGER)
        joined += sum(1 for fault in plan.faults if fault.kind is FaultKind.JOIN_WORKER)
        workers = 1
        for fan_out in plan.tree:
            workers *= fan_out
        self._workers_max = int(workers + joined)
        num_joins = sum(1 for fault in plan.faults if fault.kind in (FaultKind.JOIN_MANAGER, FaultKind.CRASH_MANAGER))
        self._employees_max = max(plan.tree) + int(joined) + num_joins

    def look(self) -> None:
        """Go through all counters."""
        for name, core in self.world.nodes.items():
            if len(core.placement.costs) > COSTS_MAX:
                self.fail(f"{name} knows the costs of {len(core.placement.costs)} functions")
            for employee in core.employees:
                self._employee(f"{name}/{employee.name}", employee)
            self._node(name, core)
        for name, worker in self.world.workers.items():
            self._worker(name, worker)

    def _node(self, name: str, core: NodeCore) -> None:
        if not 0 <= core.num_idle_workers <= core.total_workers <= self._workers_max:
            self.fail(f"{name}: {core.num_idle_workers} of {core.total_workers} workers idle")
        if core.boss is not None:
            offers_max = self._offers_max(self._employees_max)
            if abs(core.want_credit) > offers_max:
                self.fail(f"{name} may offer {core.want_credit} tasks")
            if core.boss.results_unread < 0 or core.upstream.spare < 0:
                self.fail(f"{name}: {core.boss.results_unread} results unread, {core.upstream.spare} tasks to spare")

    def _worker(self, name: str, core: WorkerCore) -> None:
        if abs(core.want) > self._offers_max(self._employees_max):
            self.fail(f"{name} may offer {core.want} tasks")

    def _employee(self, name: str, employee: Employee) -> None:
        link = employee.link
        if not 0 <= employee.num_idle_workers <= employee.num_workers:
            self.fail(f"{name}: {employee.num_idle_workers} of {employee.num_workers} workers idle")
        if not OFFERS_MIN <= employee.offer_window <= OFFERS_MAX:
            self.fail(f"{name}: a window of {employee.offer_window} offers")
        for key in ("granted", "recalled", "backlog", "num_workers"):
            if getattr(employee, key) < 0:
                self.fail(f"{name}: {key} is {getattr(employee, key)}")
        if link.queued > CREDIT_TASKS_MAX + self._workers_max:
            self.fail(f"{name}: {link.queued} tasks queued beyond its credit")
        if employee.kind == "worker":
            costs = sorted(attempt.cost_us for attempt in link.sent.values() if attempt.batch in link.unread)
            # one may have been given to it as idle, and one as the last within credit
            if sum(costs[:-2]) >= CREDIT_PLENTY_US:
                self.fail(f"{name}: tasks of {costs} µs are queued, beyond its credit")
        if abs(employee.wanted) > self._offers_max(1) or link.waiting > 2 * self._offers_max(1):
            self.fail(f"{name}: it may offer {employee.wanted} tasks more, and {link.waiting} wait")
        if link.results_unread < 0:
            self.fail(f"{name}: {link.results_unread} results unread")

    def _offers_max(self, employees: int) -> int:
        """The largest window, and what one recall adds: as many as there are idle workers, and what the boss wants."""
        return OFFERS_MAX + OFFERS_MIN + self._workers_max + employees * OFFERS_MAX
