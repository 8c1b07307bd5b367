"""How a server's journal is written: one task commits all that has gathered meanwhile, and tells when it is durable.

A `JournalStore` does the I/O (`sqlite_journal` on a real machine); the `Ledger` decides what is written and what waits
for it. While one commit is under way the next one gathers, so a slow disk makes the commits larger, not the queue of
them longer, and the scheduler never waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import trio

from triort._core.journal import Write
from triort._model.ids import JobId


class JournalError(Exception):
    """The store cannot go on; the text says why, in one line."""


class JournalStore(Protocol):
    """What holds the records of jobs and survives the server. One task uses it."""

    async def load(self) -> list[tuple[JobId, bytes]]:
        """All records, in the order in which they were written; raises `JournalError`."""

    async def commit(self, writes: Sequence[Write]) -> None:
        """Make all of these durable, or none; raises `JournalError`. A cancel waits for the end of it."""

    async def aclose(self) -> None:
        """Let go of it; what was not committed is lost. Does not raise."""


class Journal:
    """The task that feeds a store."""

    def __init__(self, store: JournalStore, committed: Callable[[int], None], failed: Callable[[str], None]) -> None:
        self._store = store
        self._committed = committed
        self._failed = failed
        self._writes: list[Write] = []
        self._number = 0
        self._has_news = trio.Event()

    def put_nowait(self, number: int, writes: Sequence[Write]) -> None:
        """Have this written; ``number`` is what ``committed`` is called with then."""
        if number > self._number:
            self._number = number
            self._writes += writes
            self._has_news.set()

    async def run(self) -> None:
        """Commit what comes, until cancelled or until the store fails. Closes the store."""
        try:
            while True:
                await self._has_news.wait()
                self._has_news = trio.Event()
                writes, self._writes = self._writes, []
                number = self._number
                await self._store.commit(writes)
                self._committed(number)
        except JournalError as exc:
            self._failed(str(exc))
        finally:
            with trio.CancelScope(shield=True):
                await self._store.aclose()
