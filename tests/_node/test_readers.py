"""Clients that read nothing are given up, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from triort._model.limits import ANSWERS_UNREAD_MAX, READER_PENDING_BYTES_MAX, READER_WAIT_S
from triort._node.readers import Readers

MUCH = READER_PENDING_BYTES_MAX // 10


class Client:
    """As much of a connection as is asked for."""

    pending_bytes = 0


@pytest.fixture
def client() -> Any:
    return Client()


def test_who_reads_nothing_is_stuck_after_a_while(client: Any) -> None:
    readers = Readers()
    readers.watch(client)
    stuck = []
    for second in range(60):
        stuck.append(readers.is_stuck(client, MUCH, float(second)))
        client.pending_bytes += MUCH
    assert stuck.index(True) == READER_WAIT_S + 1
    assert all(stuck[stuck.index(True) :])


def test_who_reads_slowly_is_not(client: Any) -> None:
    readers = Readers()
    readers.watch(client)
    for second in range(600):
        assert not readers.is_stuck(client, MUCH, float(second))
        client.pending_bytes += MUCH - (1 if second % 20 == 0 else 0)


def test_who_asks_on_and_on_and_reads_no_answer_is_stuck_at_once(client: Any) -> None:
    readers = Readers()
    readers.watch(client)
    for _ in range(10):
        client.pending_bytes = 0
        assert not readers.is_stuck(client, 64, 0.0, ANSWERS_UNREAD_MAX)
        client.pending_bytes = 64
        assert readers.is_stuck(client, 64, 0.0, 1)


def test_who_is_told_little_is_not(client: Any) -> None:
    readers = Readers()
    readers.watch(client)
    client.pending_bytes = READER_PENDING_BYTES_MAX
    assert not any(readers.is_stuck(client, 0, float(second)) for second in range(600))


def test_clients_of_the_same_process_and_those_that_have_gone_are_not(client: Any) -> None:
    readers = Readers()
    client.pending_bytes = 10 * READER_PENDING_BYTES_MAX
    assert not any(readers.is_stuck(client, MUCH, float(second)) for second in range(600))
    readers.watch(client)
    readers.forget(client)
    assert not any(readers.is_stuck(client, MUCH, float(second)) for second in range(600))
