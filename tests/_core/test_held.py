"""What clients have submitted is bounded: what would be too much is refused, and what has ended makes room."""

from __future__ import annotations

from typing import Any

import pytest

from tests._core.disk import Disk
from tests._core.makers import make_spec
from tests._core.test_jobs import ERROR, Desk
from triort._core import held
from triort._core.attaching import drop_client, is_refused
from triort._core.held import Held
from triort._core.restoring import fail_ledger
from triort._model.errors import JobRejected
from triort._model.messages import JobOutcomes, JobRefused, SubmitJob
from triort._wire import payload


class Counter(Desk):
    """A desk with room for 1000 bytes, where clients submit items of a size."""

    def __init__(self) -> None:
        super().__init__()
        self.books.held.limit = 1_000

    def give(self, *sizes: int, client: str = "client", request: int = 1, last: bool = True, **options: Any) -> bool:
        """Whether the items were not refused as a job."""
        message = SubmitJob(request, make_spec(**options), 0, last, list(sizes))
        if is_refused(self.books, client, message):
            return False
        job = self.books.open_job(client, message)
        self.books.add_items(job, message, [bytes(size) for size in sizes])
        return True


@pytest.fixture
def desk() -> Counter:
    return Counter()


def test_a_client_may_hold_as_much_as_is_free() -> None:
    held = Held(limit=1_000)
    assert not held.why_not("a", 500)
    assert held.why_not("a", 501)
    held.take("a", 500)
    assert not held.why_not("b", 250)
    assert held.why_not("b", 251)
    held.give("a", 500)
    assert (held.total, held.by_client) == (0, {})


def test_a_job_that_begins_with_too_much_is_refused_as_a_whole_and_hears_why(desk: Counter) -> None:
    assert not desk.give(600, last=False)
    assert not desk.give(1, last=False)
    assert desk.told() == []
    assert not desk.give(1)
    (refused,) = desk.told()
    assert isinstance(refused, JobRefused)
    assert "are too much" in refused.reason
    assert desk.is_empty()
    assert desk.give(1)


@pytest.mark.parametrize("retries", [0, 3])
def test_items_that_are_too_much_fail_and_with_them_the_job(desk: Counter, retries: int) -> None:
    assert desk.give(300, last=False, retries=retries)
    assert desk.give(300, 1, last=False, retries=retries)
    assert desk.placed == []
    outcomes = [message for message in desk.told() if isinstance(message, JobOutcomes)]
    assert outcomes[0].kinds.count(ERROR) == 2
    assert desk.give(400, retries=retries)  # what comes after it is cancelled, and not held
    desk.told()
    assert desk.is_empty()
    assert (desk.books.held.total, desk.books.held.by_client) == (0, {})


def test_what_has_ended_makes_room_and_what_is_run_again_does_not(desk: Counter) -> None:
    assert desk.give(200, 200, retries=1)
    desk.end(ERROR)
    assert desk.books.held.total == 400
    desk.lose()
    assert desk.books.held.total == 400
    desk.end()
    assert desk.books.held.total == 200
    desk.end()
    assert desk.books.held.total == 0


def test_a_function_is_held_until_its_job_has_ended(desk: Counter) -> None:
    message = SubmitJob(1, make_spec(), 1, True, [100, 10])
    job = desk.books.open_job("client", message)
    desk.books.add_items(job, message, [bytes(10)], [bytes(100)])
    desk.end()
    assert desk.books.held.total == 100
    desk.told()
    assert desk.books.held.by_client == {}


def test_a_client_that_goes_makes_room(desk: Counter) -> None:
    assert desk.give(400)
    drop_client(desk.books, "client")
    desk.told()
    assert desk.books.held.total == 0


def test_a_job_has_so_many_items_at_most(desk: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "JOB_ITEMS_MAX", 3)
    assert desk.give(1, 1, last=False)
    assert desk.give(1, 1)
    outcomes = [message for message in desk.told() if isinstance(message, JobOutcomes)]
    assert outcomes[0].kinds.count(ERROR) == 2


def test_the_client_is_told_that_its_job_was_rejected() -> None:
    error = payload.load_error(ERROR, held.rejection("too much"), "f")
    assert isinstance(error, JobRejected)
    assert str(error) == "too much"


# -- with a journal --------------------------------------------------------------------------------------------------


def test_what_a_server_takes_up_from_its_journal_is_held_and_given_back() -> None:
    disk = Disk()
    disk.submit(3)
    disk.end()
    disk.flush()
    disk.sync()
    disk.restart()
    assert disk.books.held.total == len(b"code") + 2
    disk.end()
    disk.end()
    disk.flush()
    disk.sync()
    assert (disk.books.held.total, disk.books.held.by_client) == (0, {})


def test_items_that_were_too_much_have_failed_for_the_next_server_too() -> None:
    disk = Disk()
    disk.books.held.limit = 2 * len(b"code0")
    disk.submit(1, last=False)
    disk.submit(10, first=False)
    disk.flush()
    disk.sync()
    disk.restart()
    assert disk.placed == []
    disk.flush()
    assert (disk.books.held.total, disk.books.held.by_client) == (0, {})


def test_what_the_disk_has_not_taken_is_not_held_when_it_fails() -> None:
    disk = Disk()
    disk.submit(3)
    disk.flush()
    fail_ledger(disk.books, "full")
    disk.flush()
    assert (disk.books.held.total, disk.books.held.by_client) == (0, {})
