"""A server's books over a disk that the test commits to, and restarts on it."""

from __future__ import annotations

from typing import Any

from tests._core.makers import make_spec
from triort._core.attaching import attach, is_refused, is_repeated
from triort._core.attempts import Result
from triort._core.hops import cancelled
from triort._core.jobs import JobBooks
from triort._core.journal import Ledger, Write
from triort._core.links import BlobStore
from triort._core.restoring import commit, read_records, restore
from triort._model.ids import JobId
from triort._model.messages import AttachJob, JobOutcomes, Message, SubmitJob
from triort._model.outcomes import OutcomeKind

VALUE, ERROR, CANCELLED, TIMEOUT, CRASHED = (int(kind) for kind in OutcomeKind)
TOKEN = 77
TIME_OF_DAY_S = 1e9


class Disk:
    """A server's books, its clients, and a disk that is as fast as the test likes. `restart` is a new server on it."""

    def __init__(self, *, synced: bool = True) -> None:
        self.records: list[tuple[JobId, bytes]] = []
        self.queue: list[tuple[int, list[Write]]] = []
        self.now = 0.0
        self.time_of_day_s = TIME_OF_DAY_S
        self.start(synced=synced)

    def start(self, *, synced: bool = True) -> None:
        self.placed: list[Any] = []
        self.told: list[Message] = []
        self.blobs: BlobStore = {}
        self.queue = []
        self.books = JobBooks(self.placed.extend, self.cancel, lambda: self.now)
        self.books.ledger = Ledger()
        self.books.time_of_day_s = self.time_of_day_s - self.now
        serial, jobs = read_records(self.records)
        restore(self.books, self.blobs, serial, jobs)
        self.come("client")
        self.flush()
        if synced:
            self.sync()

    def come(self, client: str, token: int = TOKEN) -> None:
        self.books.requests.tokens[client] = token

    def restart(self, *, after_s: float = 0.0, now: float = 0.0, synced: bool = True) -> None:
        self.time_of_day_s += self.now + after_s
        self.now = now
        self.start(synced=synced)

    def cancel(self, attempt: Any) -> None:
        if attempt in self.placed:
            self.placed.remove(attempt)
            self.books.settle(attempt, cancelled(attempt))

    def submit(self, items: int = 1, *, request: int = 1, last: bool = True, detached: bool = False, first: bool = True,
               **options: Any) -> bool:  # fmt: skip
        parts = [b"%d" % number for number in range(items)]
        blobs = [b"code"] if first else []
        message = SubmitJob(request, make_spec(**options), len(blobs), last, [len(p) for p in [*blobs, *parts]], False,
                            detached)  # fmt: skip
        if is_repeated(self.books, "client", message) or is_refused(self.books, "client", message):
            return False
        job = self.books.open_job("client", message)
        self.books.add_items(job, message, parts, blobs)
        return True

    def end(self, kind: int = VALUE) -> None:
        attempt = self.placed.pop(0)
        self.books.settle(attempt, Result(attempt.address, kind, 1, b"v"))

    def flush(self) -> list[Message]:
        """The end of a batch of events; returns what goes out now."""
        assert self.books.ledger is not None
        self.books.expire()
        sends, _ = self.books.flush()
        sends = self.books.ledger.close_batch(sends)
        self.queue.append(self.books.ledger.take_writes())
        return [send.message for send in sends]

    def sync(self) -> list[Message]:
        """All that was written is durable; returns what goes out by that."""
        for _, writes in self.queue:
            for job, data in writes:
                if data:
                    self.records.append((job, b"".join(data)))
                else:
                    self.records = [each for each in self.records if each[0] != job]
        number = self.queue[-1][0] if self.queue else 0
        self.queue = []
        return [send.message for send in commit(self.books, number)]

    def step(self) -> list[Message]:
        return self.flush() + self.sync()

    def erased(self) -> list[int]:
        """The jobs on disk when what may wait has been written, too."""
        assert self.books.ledger is not None
        self.books.ledger._is_due = True
        self.step()
        return self.jobs()

    def attach(self, job: int, request: int = 1, client: str = "client") -> list[Message]:
        attach(self.books, client, AttachJob(request, JobId(job)))
        return self.step()

    def jobs(self) -> list[int]:
        return sorted({job for job, _ in self.records if job})


def outcomes(job: int, *kinds: int, first: int = 0) -> JobOutcomes:
    sizes = [0 if kind == CANCELLED else 1 for kind in kinds]
    return JobOutcomes(JobId(job), list(range(first, first + len(kinds))), list(kinds), sizes)
