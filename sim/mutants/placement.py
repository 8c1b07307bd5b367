"""Bugs in `triort._core.placement`, `demand` and `upstream`: who gets which task, and who asks for more."""

from __future__ import annotations

from sim.mutants.planting import mutant, rewrite
from triort._core import node_handlers, worker_handlers
from triort._core.demand import _close, _grant, recall_from_worker
from triort._core.employee import Employee
from triort._core.placement import Placement
from triort._core.sharing import queue_of
from triort._core.upstream import Upstream
from triort._core.worker_core import WorkerCore


@mutant("the idle count is not lowered when a task is given")
def idle_drift():
    return rewrite(Placement._give, ("max(employee.num_idle_workers - len(attempts), 0)", "employee.num_idle_workers"))


@mutant("credit has no end")
def endless_credit():
    return rewrite(queue_of, ("max(min(by_time, CREDIT_TASKS_MAX - link.queued), 0)", "1_000"))


@mutant("a task that is placed with others is dropped")
def dropped_in_fill():
    return rewrite(Placement._fill, ("run[start : start + share]", "run[start : start + min(share, 2)]"))


@mutant("the end of a window is not noticed")
def window_never_spent():
    return rewrite(
        node_handlers.submit_from_below,
        ("    employee.wanted = bounded(employee.wanted - len(msg.addresses) + len(msg.alone))\n", ""),
    )


@mutant("a recall raises the window by what it was before")
def window_grows():
    return rewrite(recall_from_worker, ("employee.wanted += credit", "employee.wanted += credit + employee.granted"))


@mutant("a boss believes to have granted less than it has")
def grant_miscounted():
    return rewrite(_grant, ("Want(credit), ()", "Want(credit + OFFERS_MIN), ()"))


@mutant("a boss that closes a window does not say so")
def closed_in_silence():
    return rewrite(_close, ("_grant(node, employee, waiting)", "employee.wanted = 1"))


@mutant("a worker takes no credit back")
def closing_not_heard():
    return rewrite(worker_handlers.want, ("core.want + message.credit", "core.want + max(message.credit, 0)"))


@mutant("after results the idle count is not told again")
def not_told_again():
    return rewrite(Upstream.heard, ("max(idle - num_tasks, 0) if not num_results else -1", "max(idle - num_tasks, 0)"))


@mutant("a worker without tasks is not counted as idle before it says so")
def rest_not_noted():
    return rewrite(Employee.rest, ("self.set_idle(self.num_workers)", "pass"))


@mutant("a worker whose tasks all wait does not say that it is idle")
def silent_while_tasks_wait():
    return rewrite(WorkerCore.flush, ("if self.boss.received or", "if"))


@mutant("tasks that come back for the boss are placed below again")
def placed_below_again():
    return rewrite(node_handlers.returned, ("if node.upstream.asked:", "if False:"))


@mutant("a manager tells the count of its tasks and not the change")
def total_for_change():
    return rewrite(Upstream.tell_tasks, ("Update(tasks - self.tasks,", "Update(tasks,"))
