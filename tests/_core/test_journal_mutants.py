"""Bugs planted in the rules of detached jobs and of the journal: the unit tests of these find each of them.

The simulation has no such jobs in most of its runs, so these are judged here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from sim.mutants.planting import Change
from tests._core import test_detached_jobs, test_leases, test_ledger, test_restarts
from tests._core.disk import Disk
from triort._core import attaching, restoring
from triort._core.jobs import JobBooks
from triort._core.journal import Ledger
from triort._core.kept_jobs import KeptJobs
from triort._core.leases import Leases
from triort._core.requests import Requests

MUTANTS: dict[str, tuple[Any, str, str]] = {
    "answers go out before the commit": (
        Ledger.close_batch, "if self.failure is not None or", "if not starts or self.failure is not None or"),
    "answers overtake those that wait for the disk": (
        Ledger.close_batch, "not (self._is_due or starts or self._waiting)", "not (self._is_due or starts)"),
    "a commit lets out what was taken later": (Ledger.commit, "self._waiting[0].number <= number", "True"),
    "a commit lets out nothing but the first batch": (Ledger.commit, "while self", "if self"),
    "outcomes are not written down": (
        attaching.tell_outcomes, "books.ledger.note(job.id, Told(message), parts)", "pass"),
    "numbers are not reserved": (Ledger.reserve, "self.note(SERIALS, Serials(self._serials_asked))", "pass"),
    "a restarted server begins its numbers anew": (restoring.restore, "books.serial = books.", "books."),
    "numbers that are taken are not reserved": (
        JobBooks._reserve, "self.ledger.reserve(self.serial)", "pass"),
    "what was to start with the batch in which the disk fails does not": (
        Ledger.fail, "starts += self._starts", "pass"),
    "who has come whole is not told that the disk has failed": (
        restoring.fail_ledger, "if not job.complete:", "if True:"),
    "a cancelled job is told to be too late": (JobBooks.expire, "job.timed_out or not job.cancelled", "True"),
    "who comes back has only what is left of its lease": (Leases.extend, "if token in self.until:", "if False:"),
    "numbers count as reserved before the commit": (Ledger.may_use, "serial <= self.serial_limit or", "True or"),
    "a job that may run once only starts before it is on disk": (
        JobBooks.place, " and not once_durable", ""),
    "a job that may run once only starts before it has come whole": (
        JobBooks.place, "if job.complete or not once_durable:", "if True:"),
    "what waits for the disk cannot be cancelled": (
        JobBooks.stop, "in job.take_held():", "in job.take_held()[:0]:"),
    "a job that may run once only runs again after a restart": (
        restoring._restore_job, "elif spec.options.at_most_once:", "elif False:"),
    "items that have ended run again after a restart": (
        restoring._restore_job, "if index not in has]", "]"),
    "a cancelled job runs on after a restart": (
        restoring._restore_job, "if stored.stopped is not None:", "if False:"),
    "a stop is not written down": (
        JobBooks.stop, "self.ledger.note(job.id, Stopped(job.timed_out, job.verdict))", "pass"),
    "a job that had not come whole goes on": (restoring.restore, "if each.complete:", "if True:"),
    "deadlines begin anew after a restart": (
        restoring._restore_job, "min(deadline - books.time_of_day_s, now + (spec.options.timeout_s or 0.0))",
        "now + (spec.options.timeout_s or 0.0)"),
    "a clock that was put back gives more time": (
        restoring._restore_job, "min(deadline - books.time_of_day_s, now + (spec.options.timeout_s or 0.0))",
        "deadline - books.time_of_day_s"),
    "the time to keep a job begins anew after a restart": (
        restoring._restore_job, "min(stored.over.since_s - books.time_of_day_s, now) if stored.over else now", "now"),
    "the functions of restored jobs are lost": (restoring._restore_job, "blobs[job.id] = ", "_ = "),
    "restored jobs wait for their clients for ever": (
        restoring._restore_job, "books.leases.begin(job.token, now)", "pass"),
    "the end of the lease ends jobs whose client has come": (
        attaching.end_lease, "job.token == token and job.client is None and", "job.token == token and"),
    "the end of the lease ends detached jobs": (attaching.end_lease, " and not job.detached", ""),
    "the end of a lease ends the jobs of other clients": (attaching.end_lease, "job.token == token and", ""),
    "who was given up may come back": (attaching.end_lease, "books.leases.give_up(token)", "pass"),
    "who is here is given up": (attaching.end_lease, " and not books.requests.links_of(token)", ""),
    "a client whose link has ended loses its jobs at once": (
        attaching.drop_client, "if may_return and", "if False and"),
    "a client that has ended its link may return": (attaching.drop_client, "if may_return and", "if"),
    "a job that has not come whole waits for its client": (attaching.drop_client, " and job.accepted:", ":"),
    "what has ended before its client comes back is not told": (
        JobBooks._open, "self.ledger is not None and", "False and"),
    "a client that comes back is not the owner of its jobs": (attaching.watch, "job.client = client", "pass"),
    "a restored job can be had by any client": (
        attaching.attach, "job.returnable and job.token == books.requests.token_of(client)", "job.returnable"),
    "a job that is sent again is taken twice": (attaching.is_repeated, "if job is None or", "if True or"),
    "a job that is sent again is answered for each message": (
        attaching.is_repeated, "if message.last:", "if True:"),
    "a job is forgotten before its client has heard of the end": (
        attaching.retire, "elif is_wanted and books.ledger is not None:", "elif False:"),
    "a job is never erased": (JobBooks.forget, "self.ledger.erase(job.id)", "pass"),
    "anybody may release a job": (
        attaching.release, "not (job.detached or job.token == books.requests.token_of(client))", "False"),
    "what waited for a disk that has failed waits for ever": (
        Ledger.fail, "return sends, starts", "return [], []"),
    "a job that is not recorded is accepted when the disk fails": (
        restoring.fail_ledger, "each.num_items < 0", "False"),
    "new jobs are taken though the disk has failed": (Ledger.problem, "if self.failure is not None:", "if False:"),
    "new jobs are taken though the disk does not keep up": (
        Ledger.problem, "self.pending_bytes > JOURNAL_PENDING_BYTES_MAX", "False"),
    "the rest of a refused job is an error": (attaching.is_refused, "refused[key] = problem", "pass"),
    "a detached job ends with its client": (
        attaching.drop_client, "if not (job.detached and job.accepted):", "if True:"),
    "a detached job that has not come whole goes on without its client": (
        attaching.drop_client, "if not (job.detached and job.accepted):", "if not job.detached:"),
    "a job that is not detached goes on without its client": (
        attaching.drop_client, "if not (job.detached and job.accepted):", "if False:"),
    "any job can be attached to": (attaching.attach, "elif not (job.detached or", "elif not (True or"),
    "a job can be attached to before it has come whole": (attaching.attach, "or not job.accepted", ""),
    "one that attaches hears only of what is to come": (
        attaching.watch, "outcome_messages(job, job.outcomes or ())", "outcome_messages(job, [])"),
    "one that attaches after the end does not hear of it": (
        attaching.watch, "if job.id not in books.jobs:", "if False:"),
    "one that attaches may not cancel": (attaching.watch, "books.requests.enter(job, client, request)", "pass"),
    "outcomes of detached jobs are not kept": (attaching.tell_outcomes, "job.outcomes += ended", "pass"),
    "a guest leaves its numbers behind": (Requests.leave, "for job in watched:", "for job in watched[:0]:"),
    "detached jobs are kept for ever": (KeptJobs.pop_expired, "times[0] <= now", "False"),
    "too many detached jobs are kept": (KeptJobs.add, "len(self.jobs) > DETACHED_JOBS_MAX", "False"),
    "too large detached jobs are kept": (KeptJobs.add, "self._bytes > DETACHED_BYTES_MAX", "False"),
    "the newest of the kept jobs goes": (KeptJobs._pop_oldest, "next(iter(self.jobs))", "list(self.jobs)[-1]"),
    "a large job vanishes at its end": (KeptJobs.add, "len(self.jobs) > 1 and", ""),
    "a released job is kept": (attaching.retire, "or job.released", ""),
}  # fmt: skip

TESTS = [
    (name, test)
    for module in (test_ledger, test_restarts, test_leases, test_detached_jobs)
    for name, test in vars(module).items()
    if name.startswith("test_")
]


def calls(test: Callable[..., Any], patch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The arguments of each run of a test."""
    wanted = inspect.signature(test).parameters
    rounds: list[dict[str, Any]] = [{}]
    for mark in getattr(test, "pytestmark", []):
        name, values = mark.args
        rounds = [{**each, name: value} for each in rounds for value in values]
    is_detached = test.__module__ == test_detached_jobs.__name__
    made: dict[str, Callable[[], Any]] = {
        "disk": Disk, "desk": test_detached_jobs.DetachedDesk if is_detached else Disk, "monkeypatch": lambda: patch,
    }  # fmt: skip
    return [{**each, **{name: made[name]() for name in wanted if name in made}} for each in rounds]


def fails(test: Callable[..., Any]) -> bool:
    for number in range(len(calls(test, pytest.MonkeyPatch()))):
        with pytest.MonkeyPatch.context() as patch:
            try:
                test(**calls(test, patch)[number])
            except Exception:
                return True
    return False


def test_without_a_bug_all_pass() -> None:
    assert [name for name, test in TESTS if fails(test)] == []


@pytest.mark.parametrize("name", MUTANTS)
def test_bugs_are_found(name: str) -> None:
    function, right, wrong = MUTANTS[name]
    with Change(function, ((right, wrong),)).planted():
        assert any(fails(test) for _, test in TESTS), f"nothing finds that {name}"
