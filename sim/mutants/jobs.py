"""Bugs in `triort._core.jobs`, `server_core` and `retries`: jobs, their items, and what may be tried again."""

from __future__ import annotations

from sim.mutants.planting import mutant, rewrite
from triort._core.jobs import JobBooks
from triort._core.retries import after_loss
from triort._core.server_core import ServerCore


@mutant("a lost item is not submitted again")
def items_lost():
    return rewrite(JobBooks.lose, ("        self._again(job, attempt, loss)", "        pass"))


@mutant("an item is tried once more than it may be")
def one_retry_too_many():
    return rewrite(
        JobBooks.settle, ("job.retried.get(index, 0) < options.retries", "job.retried.get(index, 0) <= options.retries")
    )


@mutant("the tries of an item are not counted")
def retries_not_counted():
    return rewrite(JobBooks.settle, ("job.retried = {**job.retried, index: job.retried.get(index, 0) + 1}", "pass"))


@mutant("the items of a job share their tries")
def retries_shared():
    return rewrite(
        JobBooks.settle,
        (
            "    index = attempt.index\n",
            "    index = attempt.index\n"
            "    job.retried = {**job.retried, index: max(job.retried.values(), default=0)}\n",
        ),
    )


@mutant("an item of a cancelled job is tried again")
def retried_though_cancelled():
    return rewrite(JobBooks.settle, ("not job.cancelled and ", ""))


@mutant("a failed item does not cancel its siblings")
def siblings_run_on():
    return rewrite(JobBooks._finish, ("        self.stop(job)", "        pass"))


@mutant("a job does not end when its last item is cancelled")
def job_never_ends():
    return rewrite(
        JobBooks._note_ended,
        ("self._dirty[job.id] = job", "job.dropped or results[-1].kind == 2 or self._dirty.update({job.id: job})"),
    )


@mutant("a job ends while one of its items is open")
def job_ends_early():
    return rewrite(
        JobBooks.flush,
        ("if job.complete and not job.open:", "if job.complete and len(job.open) <= (job.num_items > 1):"),
    )


@mutant("an item that is tried again comes home under another index")
def wrong_index():
    return rewrite(JobBooks._again, ("[attempt.payload], attempt.index)", "[attempt.payload], job.num_items - 1)"))


@mutant("a job that is cancelled twice has two outcomes for each item")
def cancelled_twice():
    again = (
        "if job.cancelled:\n"
        "            ends = [(a.index, Result(a.address, OutcomeKind.CANCELLED, 0, b'')) for a in job.open.values()]\n"
        "            job.ended = (job.ended or []) + ends\n"
        "        self.stop(job)"
    )
    return rewrite(JobBooks.cancel_job, ("self.stop(job)", again))


@mutant("a cancelled job leaves its last item running")
def last_item_runs_on():
    return rewrite(
        JobBooks.stop,
        (
            "for attempt in list(job.open.values()):",
            "for attempt in list(job.open.values())[:-1] or job.open.copy().values():",
        ),
    )


@mutant("the jobs of a client that has left go on")
def left_jobs_go_on():
    return rewrite(ServerCore.handle_disconnect, ("    drop_client(self.jobs, conn, may_return=bool(reason))\n", ""))


@mutant("an item that is out of time is reported as cancelled")
def timeout_as_cancel():
    return rewrite(JobBooks.expire, ("job.timed_out = job.timed_out or not job.cancelled", "pass"))


@mutant("the deadline of a job never comes")
def job_never_expires():
    return rewrite(JobBooks.expire, ("self.stop(job)", "pass"))


@mutant("an item that is tried again has no deadline")
def deadline_lost_on_retry():
    return rewrite(JobBooks._again, ("(fresh,) = self._attempts(job, [attempt.payload], attempt.index)",
        "(fresh,) = self._attempts(job, [attempt.payload], attempt.index); fresh.deadline = None"))  # fmt: skip


@mutant("an item that is tried again has its old address")
def address_used_again():
    return rewrite(JobBooks._again, ("(fresh,) = self._attempts(job, [attempt.payload], attempt.index)",
        "(fresh,) = self._attempts(job, [attempt.payload], attempt.index); "
        "fresh.address = attempt.address"))  # fmt: skip


@mutant("crash_limit allows one crash too many")
def crash_limit_late():
    return rewrite(after_loss, ("crashes < options.crash_limit", "crashes <= options.crash_limit"))


@mutant("crash_limit allows one crash too few")
def crash_limit_early():
    return rewrite(after_loss, ("crashes < options.crash_limit", "crashes + 1 < options.crash_limit"))


@mutant("at_most_once is ignored")
def more_than_once():
    return rewrite(after_loss, ("if not (options.at_most_once or is_too_large)", "if not is_too_large"))


@mutant("a cancelled task that is lost is submitted again")
def lost_though_cancelled():
    return rewrite(after_loss, ("    if is_cancelled:", "    if False:"))
