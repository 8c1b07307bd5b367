"""What a server writes down so that its jobs outlive it, and what it may not say before that is on disk.

A *record* says what has become of one job; the records of a job, in their order, are all that a restarted server needs
of it (`restoring`). The `Ledger` gathers the records of a batch of events. The batch's *effects* wait until a store
has made them durable: answers to clients, in their order, and the start of tasks that must not start twice. Everything
else goes on meanwhile: tasks are placed and cancelled however slow the disk is.

So whatever a client has heard is on disk: that its job is accepted, each outcome, its end. A job that was not yet
accepted, or an outcome that nobody was told of, may be lost, and comes again by itself.

When the disk fails, the effects that wait go out at once, and nothing is written any more: the work of those who wait
is worth more than its being safe from a second misfortune. But what was not accepted yet is refused (see `JobBooks`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import attrs
import msgspec

from triort._core.job import Job
from triort._core.links import Send
from triort._model.errors import ProtocolError
from triort._model.ids import JobId
from triort._model.limits import JOURNAL_ERASURES_MAX, JOURNAL_PENDING_BYTES_MAX, SERIALS_BLOCK
from triort._model.messages import JobOutcomes, SubmitJob

SERIALS = JobId(0)
"""No job has this number: it stands for the server."""


class Record(msgspec.Struct, array_like=True, gc=False):
    """Base of what is written down; parts, as those of messages, lie behind it."""


class Taken(Record, tag=1):
    """A client has sent (more of) a job, with the parts of that message; ``deadline_s`` is the time of day."""

    client: int
    message: SubmitJob
    deadline_s: float | None


class Told(Record, tag=2):
    """Items have ended; the parts are those of the message."""

    message: JobOutcomes


class Stopped(Record, tag=3):
    """The items that are open are not wanted any more."""

    timed_out: bool
    verdict: bytes = b""
    """The `Crash` with which they end, if the job has cost too many workers."""


class Over(Record, tag=4):
    """All items have ended, at this time of day."""

    since_s: float


class Serials(Record, tag=5):
    """Numbers up to this one may have been used."""

    limit: int


AnyRecord = Taken | Told | Stopped | Over | Serials
_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(AnyRecord)
_LENGTH_BYTES = 4


class Write(NamedTuple):
    """What a store is to do: append ``data`` (the pieces of one record) to what it has of ``job``, or, if there is no
    data, erase all that it has of it."""

    job: JobId
    data: Sequence[bytes]


class Batch(NamedTuple):
    """Effects that wait until the writes up to ``number`` are durable."""

    number: int
    sends: list[Send]
    starts: list[Job]
    limit: int
    size: int


def encode_record(record: AnyRecord, parts: Sequence[bytes] = ()) -> list[bytes]:
    """A record as the pieces that a store keeps, one behind the other."""
    header = _encode(record)
    return [len(header).to_bytes(_LENGTH_BYTES, "big"), header, *parts]


def decode_record(data: bytes) -> tuple[AnyRecord, list[bytes]]:
    """A record with its parts; raises `ProtocolError` for what is none."""
    end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "big")
    try:
        record = _decoder.decode(data[_LENGTH_BYTES:end])
    except msgspec.MsgspecError as exc:
        raise ProtocolError(f"a record cannot be read: {exc}") from None
    parts = []
    for size in record.message.sizes if isinstance(record, Taken | Told) else ():
        parts.append(data[end : end + size])
        end += size
    if end != len(data):
        raise ProtocolError(f"a record has {len(data)} bytes where it says {end}")
    return record, parts


@attrs.define(eq=False)
class Ledger:
    """The writes of this batch of events, and the effects of earlier ones that wait for the disk."""

    serial_limit: int = 0
    """Numbers up to this one are reserved on disk: they are never used by a later server."""
    failure: str | None = None
    pending_bytes: int = 0
    """Of writes that are not durable yet."""
    _writes: list[Write] = attrs.Factory(list)
    _is_due: bool = False
    """Whether these have to be written now. Erasures have not: a job whose erasure is lost is forgotten once more."""
    _starts: list[Job] = attrs.Factory(list)
    _waiting: deque[Batch] = attrs.Factory(deque)
    _number: int = 0
    _taken: int = 0
    _size: int = 0
    _serials_asked: int = 0

    def note(self, job: JobId, record: AnyRecord, parts: Sequence[bytes] = ()) -> None:
        """Write this down."""
        if self.failure is None:
            data = encode_record(record, parts)
            self._writes.append(Write(job, data))
            self._is_due = True
            self._size += sum(map(len, data))

    def note_taken(self, job: Job, message: SubmitJob, parts: Sequence[bytes], time_of_day_s: float) -> None:
        """Write down what a client has sent; ``time_of_day_s`` is what the clock of deadlines is behind."""
        deadline = None if job.deadline is None else job.deadline + time_of_day_s
        token = job.token if isinstance(job.token, int) else 0
        self.note(job.id, Taken(token, msgspec.structs.replace(message, spec=job.spec), deadline), parts)

    def erase(self, job: JobId) -> None:
        """The job is forgotten."""
        if self.failure is None:
            self._writes.append(Write(job, ()))
            self._is_due = self._is_due or len(self._writes) >= JOURNAL_ERASURES_MAX

    def reserve(self, serial: int) -> None:
        """The number is taken: see to it that there are always some that are reserved on disk."""
        if serial + SERIALS_BLOCK // 2 > self._serials_asked:
            self._serials_asked = serial + SERIALS_BLOCK
            self.erase(SERIALS)
            self.note(SERIALS, Serials(self._serials_asked))

    def may_use(self, serial: int) -> bool:
        """Whether the number is reserved on disk, or no disk will tell of it."""
        return serial <= self.serial_limit or self.failure is not None

    def hold(self, job: Job) -> None:
        """The job has tasks that may start only when this batch is durable."""
        self._starts.append(job)

    def close_batch(self, sends: list[Send]) -> list[Send]:
        """The batch of events is through, and these are its answers to clients; returns those that may go out now."""
        starts, self._starts = self._starts, []
        if self.failure is not None or not (self._is_due or starts or self._waiting):
            return sends
        if not self._is_due and not starts:
            self._waiting[-1].sends.extend(sends)
            return []
        self._number += 1
        self._is_due = False
        self._waiting.append(Batch(self._number, sends, starts, self._serials_asked, self._size))
        self.pending_bytes += self._size
        self._size = 0
        return []

    def take_writes(self) -> tuple[int, list[Write]]:
        """What is to be made durable after all that was taken before, and the number of the last batch in it."""
        if self._taken == self._number:
            return self._number, []
        writes, self._writes, self._taken = self._writes, [], self._number
        return self._number, writes

    def commit(self, number: int) -> tuple[list[Send], list[Job]]:
        """All that was taken up to ``number`` is durable: what may go out now, and which jobs may start."""
        sends: list[Send] = []
        starts: list[Job] = []
        while self._waiting and self._waiting[0].number <= number:
            batch = self._waiting.popleft()
            self.pending_bytes -= batch.size
            self.serial_limit = batch.limit
            sends += batch.sends
            starts += batch.starts
        return sends, starts

    def fail(self, reason: str) -> tuple[list[Send], list[Job]]:
        """Nothing will be durable any more: all effects that wait."""
        self.failure = reason
        self._writes = []
        sends, starts = self.commit(self._number)
        starts += self._starts  # of the batch of events that is not through
        self._starts = []
        return sends, starts

    def problem(self) -> str | None:
        """Why no job can be accepted now, if so."""
        if self.failure is not None:
            return f"the server's journal has failed: {self.failure}"
        if self.pending_bytes > JOURNAL_PENDING_BYTES_MAX:
            return f"the server's journal is {self.pending_bytes >> 20} MiB behind: its disk is too slow"
        return None
