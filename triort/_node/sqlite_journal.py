"""A server's journal as an SQLite database: each record is a row, and a commit is one transaction.

Write-ahead logging with ``synchronous=FULL``: a transaction is on disk when its commit returns, and a torn tail of the
log is a transaction that was never acknowledged. ``locking_mode=EXCLUSIVE`` keeps other servers out from the first
access on, for as long as this process lives; the kernel lets go of the lock when it dies. The pages of jobs that are
erased are used again, and given back to the system when most of the file is such pages.

The connection is used by one worker thread at a time.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import trio

from triort._core.journal import Write
from triort._model.errors import StartupError
from triort._model.ids import JobId
from triort._model.limits import JOURNAL_FREE_PAGES_MAX, JOURNAL_LOG_BYTES_MAX, JOURNAL_PIECE_BYTES
from triort._node.journal import JournalError

T = TypeVar("T")
APPLICATION_ID = 0x74726A72
JOURNAL_VERSION = 1
_ERRORS = (sqlite3.Error, OSError, OverflowError, MemoryError)
_SCHEMA = """
create table records (number integer primary key, job integer not null, size integer not null, data blob not null);
create index records_of_job on records (job);
"""


async def open_sqlite_journal(path: str) -> SqliteJournal:
    """Open the journal at ``path``, or begin one; raises `StartupError` in one line when that cannot be."""
    journal = SqliteJournal(path)
    try:
        await journal.open()
    except _ERRORS as exc:
        await journal.aclose()
        raise StartupError(f"the journal {path} cannot be used: {_explain(exc)}") from None
    except BaseException:
        await journal.aclose()
        raise
    return journal


class SqliteJournal:
    """A `JournalStore`; made by `open_sqlite_journal`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._db: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open or create the file."""
        await trio.to_thread.run_sync(self._open)

    async def load(self) -> list[tuple[JobId, bytes]]:
        """All records."""
        return await self._run(lambda db: list(_records(db)))

    async def commit(self, writes: Sequence[Write]) -> None:
        """Write all in one transaction."""
        await self._run(lambda db: _commit(db, writes))

    async def aclose(self) -> None:
        """Close the file, and with it the lock on it."""
        db, self._db = self._db, None
        if db is not None:
            await trio.to_thread.run_sync(_close, db)

    async def _run(self, call: Callable[[sqlite3.Connection], T]) -> T:
        assert self._db is not None, "the journal is closed"
        try:
            return await trio.to_thread.run_sync(call, self._db)
        except _ERRORS as exc:
            raise JournalError(f"{self.path}: {_explain(exc)}") from None

    def _open(self) -> None:
        if not os.path.isdir(folder := os.path.dirname(os.path.abspath(self.path))):
            raise NotADirectoryError(f"there is no folder {folder}")
        self._db = db = sqlite3.connect(self.path, timeout=0.0, isolation_level=None, check_same_thread=False)
        db.execute("pragma locking_mode=exclusive")
        db.execute("pragma auto_vacuum=incremental")
        db.execute("begin exclusive")  # not before this is it known whether another server has it
        version, kind = _number(db, "user_version"), _number(db, "application_id")
        is_new = not _number(db, "schema_version")
        if not is_new and kind != APPLICATION_ID:
            raise OSError("it is an SQLite database, and no journal of triort")
        if not is_new and version != JOURNAL_VERSION:
            raise OSError(f"it has version {version}, and this triort writes version {JOURNAL_VERSION}")
        if is_new:
            db.execute(f"pragma application_id={APPLICATION_ID}")
            db.execute(f"pragma user_version={JOURNAL_VERSION}")
            for statement in _SCHEMA.strip().split("\n"):
                db.execute(statement)
        db.execute("commit")
        db.execute("pragma journal_mode=wal")
        db.execute("pragma synchronous=full")
        db.execute(f"pragma journal_size_limit={JOURNAL_LOG_BYTES_MAX}")


def _close(db: sqlite3.Connection) -> None:
    try:
        db.close()
    except sqlite3.Error:
        pass  # a disk that has failed: there is nothing more to save


def _number(db: sqlite3.Connection, pragma: str) -> int:
    (number,) = db.execute(f"pragma {pragma}").fetchone()
    return int(number)


def _records(db: sqlite3.Connection) -> Iterator[tuple[JobId, bytes]]:
    """The records; a large one lies in several rows, the first of which has its size."""
    pieces: list[bytes] = []
    left = 0
    for job, size, data in db.execute("select job, size, data from records order by number"):
        left = (left or size) - len(data)
        pieces.append(data)
        if left < 0:
            raise sqlite3.DatabaseError("a record is longer than it says")
        if not left:
            yield JobId(job), b"".join(pieces)
            pieces = []
    if left:
        raise sqlite3.DatabaseError("a record is not whole")


def _commit(db: sqlite3.Connection, writes: Sequence[Write]) -> None:
    db.execute("begin immediate")
    try:
        for write in writes:
            if write.data:
                db.executemany("insert into records (job, size, data) values (?, ?, ?)", _rows(write))
            else:
                db.execute("delete from records where job = ?", (write.job,))
        db.execute("commit")
    except BaseException:
        if db.in_transaction:
            db.execute("rollback")
        raise
    free = _number(db, "freelist_count")
    if free > JOURNAL_FREE_PAGES_MAX and free > _number(db, "page_count") // 2:
        db.executescript(f"pragma incremental_vacuum({JOURNAL_FREE_PAGES_MAX})")  # `execute` would do one page


def _rows(write: Write) -> Iterator[tuple[int, int, bytes]]:
    data = b"".join(map(bytes, write.data))
    for start in range(0, len(data), JOURNAL_PIECE_BYTES):
        yield write.job, len(data), data[start : start + JOURNAL_PIECE_BYTES]


def _explain(exc: BaseException) -> str:
    text = " ".join(str(exc).split()) or type(exc).__name__
    if isinstance(exc, sqlite3.OperationalError) and "locked" in text:
        return "another server uses it"
    return text
