"""Clients of a server with a journal that come back over another link, in time or too late."""

from __future__ import annotations

from typing import Any

import pytest

from tests._core.disk import VALUE, Disk, outcomes
from triort._core.attaching import drop_client, release
from triort._model.ids import JobId
from triort._model.limits import LEASE_S
from triort._model.messages import JobAccepted, JobEnded, JobRefused


@pytest.fixture
def disk() -> Disk:
    return Disk()


def leave(disk: Disk, client: str = "client", *, may_return: bool = True) -> None:
    drop_client(disk.books, client, may_return=may_return)
    disk.step()


def test_a_client_that_comes_over_another_link_is_told_all_again(disk: Disk) -> None:
    disk.submit(3)
    disk.end()
    disk.step()
    [job] = disk.jobs()
    leave(disk)
    disk.end()
    disk.step()
    disk.come("client")
    told = disk.attach(job)
    assert told == [JobAccepted(1, JobId(job), 3, "work"), outcomes(job, VALUE, VALUE)]
    disk.end()
    assert disk.step() == [outcomes(job, VALUE, first=2), JobEnded(JobId(job))]
    disk.now = LEASE_S
    disk.step()
    assert disk.jobs() == [job]


def test_a_job_whose_acceptance_was_not_heard_does_not_start_a_second_time(disk: Disk) -> None:
    disk.submit(2, at_most_once=True)
    disk.flush()
    drop_client(disk.books, "client", may_return=True)
    disk.come("client")
    disk.submit(2, at_most_once=True)
    disk.step()
    assert [attempt.index for attempt in disk.placed] == [0, 1]


def test_what_has_not_come_whole_is_forgotten_and_comes_again(disk: Disk) -> None:
    disk.submit(2, last=False)
    disk.step()
    leave(disk)
    disk.come("client")
    assert disk.submit(2)
    disk.step()
    assert [attempt.index for attempt in disk.placed] == [0, 1]


def test_a_client_that_has_closed_its_link_does_not_return(disk: Disk) -> None:
    disk.submit()
    disk.step()
    leave(disk, may_return=False)
    assert (disk.jobs(), disk.placed, disk.books.next_deadline()) == ([], [], None)


def test_a_client_without_a_token_cannot_return(disk: Disk) -> None:
    del disk.books.requests.tokens["client"]
    disk.submit()
    disk.step()
    leave(disk)
    assert (disk.jobs(), disk.placed) == ([], [])


def test_the_end_of_a_lease_ends_the_jobs_of_that_client_and_it_is_given_up(disk: Disk, monkeypatch: Any) -> None:
    monkeypatch.setattr("triort._core.leases.CLIENTS_GIVEN_UP_MAX", 1)
    disk.submit()
    disk.step()
    leave(disk)
    disk.now = LEASE_S / 2
    disk.come("client", 88)
    disk.submit(2)
    disk.step()
    leave(disk)
    first, second = disk.jobs()
    assert disk.books.next_deadline() == LEASE_S
    disk.now = LEASE_S
    disk.step()
    assert disk.jobs() == [second]
    assert list(disk.books.leases.given_up) == [77]
    assert [type(message) for message in disk.attach(first)] == [JobRefused]
    disk.now = 1.5 * LEASE_S
    disk.step()
    assert disk.jobs() == []
    assert list(disk.books.leases.given_up) == [88]


def test_who_comes_back_late_has_a_lease_to_ask_for_what_it_has(disk: Disk) -> None:
    disk.submit()
    disk.step()
    [job] = disk.jobs()
    leave(disk)
    disk.now = LEASE_S - 0.1
    disk.come("client")
    disk.books.leases.extend(77, disk.now)
    disk.books.leases.extend(78, disk.now)
    disk.now = LEASE_S + 10.0
    disk.step()
    assert [type(message) for message in disk.attach(job)] == [JobAccepted]
    assert disk.books.next_deadline() == 2 * LEASE_S - 0.1
    disk.now = 2 * LEASE_S
    disk.step()
    assert disk.jobs() == [job]


def test_who_lets_go_over_another_link_is_heard(disk: Disk) -> None:
    disk.submit()
    disk.end()
    disk.step()
    [job] = disk.jobs()
    leave(disk)
    disk.come("client")
    release(disk.books, "client", JobId(job))
    assert disk.erased() == []


def test_who_has_come_back_is_not_given_up(disk: Disk) -> None:
    disk.submit()
    disk.step()
    leave(disk)
    disk.come("client")
    disk.now = LEASE_S
    disk.step()
    assert (disk.jobs(), disk.books.leases.given_up, disk.books.next_deadline()) == ([], {}, None)


def test_a_lease_of_no_client_in_particular_gives_nobody_up(disk: Disk) -> None:
    del disk.books.requests.tokens["client"]
    disk.submit()
    disk.step()
    disk.restart()
    disk.now = LEASE_S
    disk.step()
    disk.step()
    assert (disk.jobs(), disk.books.leases.given_up) == ([], {})
