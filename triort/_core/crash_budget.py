"""How many workers one job may cost.

``crash_limit`` counts for each task, at its owner, and a task's owner dies with the worker that it runs on: then its
children come back with new counts. So a leaf that kills each worker on which an ancestor of it happens to wait could go
on for ever (of simulated runs with such leaves a third never ended). The server, which no task of the job can kill,
counts every worker that any task of the job has cost, those included that were killed because a task ignored its
cancel; a job that goes beyond `JOB_CRASHES_MAX` is stopped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import msgspec

from triort._core.links import Loss, Send
from triort._core.retries import decode_crash
from triort._model.ids import JobId
from triort._model.limits import JOB_CRASHES_MAX
from triort._model.marks import sometimes
from triort._model.messages import Crashed

if TYPE_CHECKING:
    from triort._core.employee import Employee
    from triort._core.jobs import JobBooks
    from triort._core.node_core import NodeCore


@attrs.define(eq=False)
class CrashBudget:
    """What one job has spent."""

    spent: int = 0
    verdict: bytes = b""
    """Once that was too much: the `Crash` with which its open items end."""

    def spend(self, crash: bytes) -> bool:
        """The job has cost one more worker; true when that is one too many, and only then."""
        self.spent += 1
        if self.spent <= JOB_CRASHES_MAX or self.verdict:
            return False
        last = msgspec.structs.replace(decode_crash(crash), workers_lost=self.spent)
        self.verdict = msgspec.msgpack.encode(last)
        return True


def count_crash(books: JobBooks, job_id: JobId, crash: bytes) -> None:
    """A task of this job was on the CPU of a worker that has died; a job that has cost too many is stopped."""
    job = books.jobs.get(job_id)
    if job is None:
        return
    if job.budget is None:
        job.budget = CrashBudget()
    if job.budget.spend(crash):
        sometimes("a job has cost too many workers")
        books.stop(job)


def note_loss(node: NodeCore, employee: Employee, blame: Loss | None) -> None:
    """An employee is gone: count it, and tell the server whose job has cost it, if a task is to blame."""
    if not node.suspects.left(employee) or (employee.draining and blame is None):
        return
    node.losses += 1
    attempt = employee.link.sent.get(blame.address) if blame is not None else None
    if attempt is None or blame is None:
        return
    node.blamed += 1
    message = Crashed(attempt.spec.job, len(blame.crash))
    if node.boss is None:
        node.hear(message, [blame.crash])
    else:
        node.outbox.append(Send(node.boss.conn, message, [blame.crash]))
