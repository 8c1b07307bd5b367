"""Bugs in `triort._core.suspects` and `crash_budget`: suspects and their workers, and what one job may cost."""

from __future__ import annotations

from sim.mutants.planting import mutant, rewrite
from triort._core.backlog import Backlog
from triort._core.crash_budget import CrashBudget, note_loss
from triort._core.jobs import JobBooks
from triort._core.suspects import Suspects
from triort._core.unpacking import unpack_tasks
from triort._core.worker_core import WorkerCore
from triort._node.worker_pool import WorkerPool


@mutant("a child that was to blame runs among others")
def suspect_child_not_alone():
    return rewrite(WorkerCore._again, ("note_history(fresh, attempt, loss, child.crashes)", "pass"))


@mutant("an item that was to blame runs among others")
def suspect_item_not_alone():
    return rewrite(JobBooks._again, ("note_history(fresh, attempt, loss, job.crashes.get(attempt.index, 0))", "pass"))


@mutant("the mark of a suspect is lost on its way")
def mark_lost():
    return rewrite(unpack_tasks, ("attempts[index].alone = True", "pass"))


@mutant("the children of a suspect run beside it")
def children_stay():
    return rewrite(WorkerCore._queue, ("self.backlog.set_aside(attempt)", "self.backlog.add(attempt)"))


@mutant("the children of a suspect are never offered")
def children_kept():
    return rewrite(WorkerCore.offer, ("(attempt := self.backlog.pop_aside())", "(attempt := None)"))


@mutant("an extra worker stays when it has served")
def extra_stays():
    return rewrite(Suspects.place, ("self.core.outbox.append(Send(employee.conn, Shutdown(), ()))", "pass"))


@mutant("an extra worker gets one suspect after the other")
def extra_shared():
    return rewrite(Suspects.place, ("if stage is Stage.READY and", "if"))


@mutant("an extra worker counts as one more", tier=2)
def extra_counts():
    return rewrite(WorkerPool.adopt, ("int(not is_extra)", "1"))


@mutant("an extra worker that has died is replaced", tier=2)
def extra_replaced():
    return rewrite(
        WorkerPool._bury, ("and worker.process.replaced_here and not (employee.is_extra or employee.draining)", "")
    )


@mutant("a suspect that is cancelled still waits")
def suspect_waits_on():
    return rewrite(Backlog.remove, ("        self._aside.remove(attempt)\n", ""), ("self.num_aside -= 1", "pass"))


@mutant("what a job costs is not counted")
def budget_without_end():
    return rewrite(CrashBudget.spend, ("self.spent += 1", "pass"))


@mutant("what a job costs is counted twice")
def budget_halved():
    return rewrite(CrashBudget.spend, ("self.spent += 1", "self.spent += 2"))


@mutant("the server is not told what a job has cost")
def cost_not_told():
    return rewrite(note_loss, ("    node.blamed += 1\n", "    return\n"))


@mutant("a job that has cost too much was cancelled by nobody")
def budget_as_cancel():
    return rewrite(JobBooks._finish, ("elif job.verdict and", "elif False and"))
