"""Detached jobs in the server's books: they outlive their clients, are attached to, kept for a while, and forgotten."""

from typing import Any

import pytest

from tests._core.makers import make_spec
from tests._core.test_jobs import JOB, VALUE, Desk, ended
from triort._core import kept_jobs
from triort._core.attaching import attach, drop_client, release
from triort._core.links import Send
from triort._model.ids import JobId
from triort._model.limits import DETACHED_KEEP_S
from triort._model.messages import AttachJob, JobAccepted, JobEnded, JobOutcomes, JobRefused, Message, SubmitJob
from triort._model.outcomes import OutcomeKind


class DetachedDesk(Desk):
    def start(self, items: int = 1, *, request: int = 1, last: bool = True, single: bool = False, **opts: Any) -> None:
        """A detached job of the client."""
        parts = [b"%d" % number for number in range(items)]
        message = SubmitJob(request, make_spec(**opts), 0, last, [len(part) for part in parts], single, True)
        job = self.books.open_job("client", message)
        self.books.add_items(job, message, parts)

    def attach(self, client: str = "other", request: int = 7, job: int = JOB) -> list[tuple[object, Message]]:
        attach(self.books, client, AttachJob(request, JobId(job)))
        return self.sends()

    def sends(self) -> list[tuple[object, Message]]:
        return [(send.conn, send.message) for send in self.books.flush()[0]]

    def is_forgotten(self) -> bool:
        return self.is_empty() and not self.books.kept.jobs and not self.books.kept._bytes


@pytest.fixture
def desk() -> DetachedDesk:
    return DetachedDesk()


ACCEPTED = JobAccepted(7, JOB, 2, "work", False)


def test_it_goes_on_without_its_client_and_gives_all_outcomes_to_one_that_attaches(desk: DetachedDesk) -> None:
    desk.start(2)
    desk.end()
    assert desk.told() == [JobAccepted(1, JOB), ended((0, VALUE))]
    drop_client(desk.books, "client")
    assert (desk.sends(), desk.cancels) == ([], [])
    assert desk.attach() == [("other", ACCEPTED), ("other", ended((0, VALUE)))]
    desk.end()
    assert desk.sends() == [("other", ended((1, VALUE))), ("other", JobEnded(JOB))]


def test_one_that_attaches_after_the_end_is_told_all_at_once(desk: DetachedDesk) -> None:
    desk.start(2)
    desk.end()
    desk.end()
    desk.told()
    for _ in range(2):
        assert [message for _, message in desk.attach()] == [ACCEPTED, ended((0, VALUE), (1, VALUE)), JobEnded(JOB)]


def test_what_has_ended_in_the_same_batch_is_told_once(desk: DetachedDesk) -> None:
    desk.start(2)
    desk.told()
    desk.end()
    assert desk.attach() == [("other", ACCEPTED), ("client", ended((0, VALUE))), ("other", ended((0, VALUE)))]


def test_all_that_watch_are_told_and_each_may_cancel(desk: DetachedDesk) -> None:
    desk.start(2)
    desk.told()
    desk.attach()
    desk.books.cancel_job("other", 7)
    clients = [(client, type(message)) for client, message in desk.sends()]
    assert clients == [(c, kind) for kind in (JobOutcomes, JobEnded) for c in ("client", "other")]


def test_a_client_that_attached_and_left_leaves_no_trace_and_cancels_nothing(desk: DetachedDesk) -> None:
    desk.start(2)
    desk.told()
    for number in range(10):
        desk.attach(f"guest {number}")
        drop_client(desk.books, f"guest {number}")
    assert (len(desk.books.requests.jobs), desk.cancels) == (1, [])


def refused(job: int, desk: DetachedDesk) -> str:
    [(_, message)] = desk.attach(job=job)
    assert isinstance(message, JobRefused)
    assert message.request == 7
    return message.reason


def test_unknown_jobs_and_those_of_others_are_refused(desk: DetachedDesk) -> None:
    assert refused(99, desk) == "there is no job 99 here: it never was, or it has ended and has been forgotten"
    desk.submit(1)
    desk.told()
    assert refused(JOB, desk) == "job 1 is not detached: it belongs to the client that has submitted it"


def test_a_job_that_has_not_come_whole_is_not_there_yet_and_ends_with_its_client(desk: DetachedDesk) -> None:
    desk.start(1, last=False)
    assert "there is no job 1" in refused(JOB, desk)
    drop_client(desk.books, "client")
    assert desk.sends() == []
    assert desk.is_forgotten()


def test_it_is_kept_for_its_time_and_then_forgotten(desk: DetachedDesk) -> None:
    desk.start()
    desk.now = 5.0
    desk.end()
    desk.told()
    assert desk.books.next_deadline() == 5.0 + DETACHED_KEEP_S
    desk.now = 4.9 + DETACHED_KEEP_S
    desk.books.expire()
    assert list(desk.books.kept.jobs) == [JOB]
    desk.now = 5.0 + DETACHED_KEEP_S
    desk.books.expire()
    assert desk.is_forgotten()


@pytest.mark.parametrize("early", [True, False])
def test_a_released_job_is_forgotten_at_its_end(desk: DetachedDesk, early: bool) -> None:
    desk.start()
    if early:
        release(desk.books, "anybody", JOB)
    desk.end()
    desk.told()
    if not early:
        release(desk.books, "anybody", JOB)
    assert desk.is_forgotten()
    release(desk.books, "anybody", JOB)
    assert desk.is_forgotten()


def test_a_client_cannot_release_a_job_that_is_not_detached(desk: DetachedDesk) -> None:
    desk.submit(1)
    release(desk.books, "client", JOB)
    desk.end()
    assert desk.told() == [JobAccepted(1, JOB), ended((0, VALUE)), JobEnded(JOB)]


@pytest.mark.parametrize("bound", ["DETACHED_JOBS_MAX", "DETACHED_BYTES_MAX"])
def test_the_oldest_go_when_there_are_too_many(desk: DetachedDesk, monkeypatch: Any, bound: str) -> None:
    monkeypatch.setattr(kept_jobs, bound, 2)
    for request in range(4):
        desk.start(request=request)
        desk.end()
        desk.told()
    assert [job.request for job in desk.books.kept.jobs.values()] == [2, 3]
    assert len(desk.books.requests.jobs) == 2


def test_the_last_one_stays_however_large_it_is(desk: DetachedDesk, monkeypatch: Any) -> None:
    monkeypatch.setattr(kept_jobs, "DETACHED_BYTES_MAX", 0)
    desk.start()
    desk.end()
    desk.told()
    assert list(desk.books.kept.jobs) == [JOB]


def test_a_deadline_holds_without_the_client(desk: DetachedDesk) -> None:
    desk.start(timeout_s=2.0)
    desk.told()
    drop_client(desk.books, "client")
    desk.now = 2.0
    desk.books.expire()
    desk.told()
    [(_, result)] = list(desk.books.kept.jobs[JOB].outcomes or ())
    assert result.kind == OutcomeKind.TIMEOUT


def test_one_that_attaches_to_a_single_job_hears_that_it_is_one(desk: DetachedDesk) -> None:
    desk.start(single=True, name="mine")
    desk.told()
    assert desk.attach() == [("other", JobAccepted(7, JOB, 1, "mine", True))]


def test_outcomes_are_sent_as_the_same_objects_to_all(desk: DetachedDesk) -> None:
    desk.start()
    desk.told()
    desk.attach()
    desk.end()
    sends: list[Send] = desk.books.flush()[0]
    assert sends[0].parts[0] is sends[1].parts[0]
