"""Bugs in `triort._core.worker_core` and `watch`: tasks that run, their children, and the boss's look at them."""

from __future__ import annotations

from sim.mutants.planting import mutant, rewrite
from triort._core import worker_handlers
from triort._core.watch import Watch
from triort._core.worker_core import WorkerCore


@mutant("a lost child is not submitted again")
def children_lost():
    return rewrite(WorkerCore.lose, ("        self._again(child, loss)", "        pass"))


@mutant("children left open are not cancelled at their parent's end")
def open_children_run_on():
    return rewrite(WorkerCore.returned, ("        self.cancel_child(child)", "        pass"))


@mutant("a task has its outcome before its children have ended")
def outcome_before_children():
    return (
        rewrite(WorkerCore.returned, ("    if not running.children:\n", "    if True:\n")),
        rewrite(WorkerCore._settled, ("if parent.result is not None and not parent.children:", "if False:")),
    )


@mutant("a cancelled child counts as ended at once")
def cancelled_is_ended():
    return (
        rewrite(WorkerCore.cancel_child, ("        self.cancel_attempt(child.attempt)",
            "        self.cancel_attempt(child.attempt)\n"
            "        if self.children.pop(child.attempt.address, None) is not None:\n"
            "            self._settled(child, Result(child.attempt.address, OutcomeKind.CANCELLED, 0, b''))")),
        rewrite(WorkerCore.settle, ("child = self.children.pop(attempt.address)",
            "child = self.children.pop(attempt.address, None)\n    if child is None:\n        return")),
        rewrite(WorkerCore.lose, ("child = self.children.pop(attempt.address)",
            "child = self.children.pop(attempt.address, None)\n    if child is None:\n        return")),
    )  # fmt: skip


@mutant("a slot is not taken again after a wait")
def slot_not_retaken():
    return rewrite(WorkerCore.retake_slot, ("        self.occupied += 1", "        pass"))


@mutant("a task that waits keeps its slot")
def slot_kept():
    return rewrite(
        WorkerCore.release_slot, ("        running.holds_slot = False\n        self.occupied -= 1", "        pass")
    )


@mutant("a cancel does not reach the children of a running task")
def cancel_without_children():
    return rewrite(WorkerCore.cancel_attempt, ("todo.append(child.attempt)", "pass"))


@mutant("a cancel reaches the children of a task, and not their children")
def cancel_without_grandchildren():
    return rewrite(WorkerCore.cancel_attempt, ("todo.append(child.attempt)", "self.hops.cancel(child.attempt)"))


@mutant("a child that is tried again has no deadline")
def child_deadline_lost():
    return rewrite(WorkerCore._again, ("deadline=attempt.deadline, ", ""))


@mutant("a child out of time is reported as cancelled")
def child_timeout_as_cancel():
    return rewrite(WorkerCore.expire, ("child.timed_out = True", "pass"))


@mutant("a child out of time runs on")
def child_runs_on():
    return rewrite(WorkerCore.expire, ("self.cancel_child(child)", "pass"))


@mutant("a child that is tried again does not hear what was said before")
def child_talk_lost():
    return rewrite(
        WorkerCore._again,
        (
            "fresh.talk, fresh.above = attempt.talk, attempt.above",
            "fresh.above = attempt.above",
        ),
    )


@mutant("a message is kept twice, for when its task is placed again")
def talk_kept_twice():
    return rewrite(
        WorkerCore.hear,
        ("    attempt.keep_talk(payload)\n", "    attempt.keep_talk(payload)\n    attempt.keep_talk(payload)\n"),
    )


@mutant("a child is tried once more than it may be")
def child_retry_too_many():
    return rewrite(WorkerCore.settle, ("child.retries < options.retries", "child.retries <= options.retries"))


@mutant("a child that has failed is tried again though its parent wants it no more")
def unwanted_child_again():
    return rewrite(WorkerCore.settle, ("not child.cancelled and ", ""))


@mutant("crashes of a child are not counted")
def child_crashes_uncounted():
    return rewrite(WorkerCore.lose, ("    child.crashes += loss.blamed\n", ""))


@mutant("a worker that is idle again does not say so")
def idle_once():
    return rewrite(WorkerCore.flush, ("self._announced != (1, self.boss.batch_read)", "self._announced[0] != 1"))


@mutant("a worker says that it is idle while tasks wait there")
def idle_though_busy():
    return rewrite(WorkerCore.flush, ("if idle and", "if (idle or not self.occupied) and"))


@mutant("a worker's count of its own tasks drifts")
def told_tasks_drift():
    return rewrite(
        WorkerCore.flush, ("self._told_tasks = tasks", "self._told_tasks += max(tasks - self._told_tasks, 0)")
    )


@mutant("a worker forgets the blobs of a job when another one ends")
def blobs_forgotten_early():
    return rewrite(worker_handlers.forget, ("core.hops.blobs.pop(job, None)", "core.hops.blobs.clear()"))


@mutant("a worker keeps the blobs of jobs that have ended")
def worker_keeps_blobs():
    return rewrite(worker_handlers.forget, ("core.hops.blobs.pop(job, None)", "pass"))


@mutant("a loss that comes from above is passed on as a cancel")
def loss_as_cancel():
    return rewrite(worker_handlers.lost, ("core.hops.pass_loss(attempt, loss)",
        "core.hops.pass_result(attempt, Result(loss.address, 2, 0, b''))"))  # fmt: skip


@mutant("a busy worker is never asked for its unstarted tasks")
def never_recalled():
    return rewrite(Watch.decide, ("        actions.append(Action.RECALL)", "        pass"))


@mutant("nothing is recalled from behind an async task that waits for something outside")
def not_recalled_off_cpu():
    return rewrite(Watch.decide, ("return [Action.RECALL] if is_to_recall else []", "return []"))


@mutant("a task that ignores its cancel is never killed")
def never_killed():
    return rewrite(Watch.decide, ("            return [Action.KILL]", "            return []"))


@mutant("a task is killed at once when it is cancelled")
def killed_at_once():
    return rewrite(Watch.decide, ("now - self._stubborn_since >= GRACE_S", "True"))


@mutant("a worker is not poked for the mail that waits")
def no_poke_for_mail():
    return rewrite(Watch.decide, ("if mail_waits or 0 <", "if 0 <"))


@mutant("a worker is not poked when a deadline has passed")
def no_poke_for_deadlines():
    return rewrite(Watch.decide, ("0 < glance.deadline_s <= clock_s or ", ""))
