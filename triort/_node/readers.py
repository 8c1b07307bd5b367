"""Clients that are told more than they read: what waits for each of them is bounded, so that it harms nobody else.

A client may be told a lot at once, and may be slow; that is no fault. But one that has taken nothing at all for a
while, with much waiting for it, is given up; and so is at once one that has asked so many questions without taking a
single answer. It is looked at only when there is more for it: nothing grows otherwise.
"""

from __future__ import annotations

import attrs

from triort._model.limits import ANSWERS_UNREAD_MAX, READER_PENDING_BYTES_MAX, READER_WAIT_S
from triort._transport.connection import Connection


@attrs.define
class _Reader:
    handed: int = 0
    taken: int = 0
    since: float = 0.0
    answers: int = 0
    """How many it was handed since it has taken something."""


@attrs.define(eq=False)
class Readers:
    """What has been handed over for each client, and since when it has taken none of it."""

    _readers: dict[Connection, _Reader] = attrs.Factory(dict)

    def watch(self, conn: Connection) -> None:
        """A client has come from another process: in one process, both read when the loop runs."""
        self._readers[conn] = _Reader()

    def is_watched(self, conn: object) -> bool:
        """Whether that is such a client."""
        return conn in self._readers

    def is_stuck(self, conn: Connection, size: int, now: float, answers: int = 0) -> bool:
        """So many bytes more are to go there, with so many answers to what it has asked: whether that is too much, for
        it reads nothing. False for all others."""
        reader = self._readers.get(conn)
        if reader is None:
            return False
        reader.handed += size
        pending = conn.pending_bytes
        taken = reader.handed - pending
        if taken > reader.taken or not pending:
            reader.taken, reader.since, reader.answers = taken, now, 0
        reader.answers += answers
        if reader.answers > ANSWERS_UNREAD_MAX:
            return True
        return pending > READER_PENDING_BYTES_MAX and now - reader.since > READER_WAIT_S

    def forget(self, conn: Connection) -> None:
        """The link is over."""
        self._readers.pop(conn, None)
