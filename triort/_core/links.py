"""The books of one link: what was received over it, what was sent over it, and what waits to be sent.

Events only note what is to be sent, in columns; `Link.flush` packs the columns into messages once the event batch is
through. The order within one flush is part of the protocol: blobs before the tasks that need them, tasks before talk
and cancels that name them, outcomes before the idle count that follows from them (which the node core adds).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import attrs

from triort._core.attempts import Attempt, Result
from triort._core.packing import batched, spec_columns
from triort._model.ids import Address, Digest, JobId
from triort._model.limits import PARTS_PER_MESSAGE_MAX, UNREAD_BATCHES_MAX
from triort._model.marks import buggify
from triort._model.messages import (
    Blobs,
    Cancel,
    Forget,
    Lost,
    Message,
    Outcomes,
    Returned,
    Submit,
    Talk,
    TaskSpec,
)

BlobStore = dict[JobId, dict[Digest, bytes]]


class Send(NamedTuple):
    """An effect: this message is to go out over ``conn``."""

    conn: object
    message: Message
    parts: Sequence[bytes]


class Loss(NamedTuple):
    """An attempt that nobody can answer any more; ``crash`` is an encoded `Crash` if it was to blame, else empty."""

    address: Address
    blamed: bool
    crash: bytes
    beside: bool = False
    """Whether one below it was to blame, and had come to the very worker of this one."""


@attrs.define(eq=False)
class Link:
    """Tables and columns of one link, keyed by address; each entry leaves by exactly one terminal message."""

    conn: object
    name: str
    below: bool = True
    waiting: int = 0
    """How many attempts received over this link wait in the node's backlog."""
    received: dict[Address, Attempt] = attrs.Factory(dict)
    sent: dict[Address, Attempt] = attrs.Factory(dict)
    known: dict[JobId, set[Digest]] = attrs.Factory(dict)
    batch_sent: int = 0
    batch_read: int = 0
    unread: dict[int, list[int]] = attrs.Factory(dict)
    """Batches sent after the peer's last receipt: how many of their tasks are open, and what these will cost in µs."""
    queued: int = 0
    queued_us: int = 0
    results_unread: int = 0
    """Results sent down after the peer's last receipt: each may have woken a task there."""
    cancelling: set[Address] = attrs.Factory(set)
    """Cancels sent and not yet answered."""
    ended: bool = False
    losses: dict[Address, tuple[Attempt, Loss]] = attrs.Factory(dict)
    """Of an ended link: what was sent over it and is not yet reported as lost."""
    unanswered: dict[Address, int] = attrs.Factory(dict)
    """Of an ended link: how many tasks that came over it, by their parent, still have to be answered for."""
    out_tasks: list[Attempt] = attrs.Factory(list)
    out_returned: list[Attempt] = attrs.Factory(list)
    out_results: list[Result] = attrs.Factory(list)
    out_lost: list[Loss] = attrs.Factory(list)
    out_talk: list[tuple[Address, bytes]] = attrs.Factory(list)
    out_cancels: list[Address] = attrs.Factory(list)
    out_forgets: list[JobId] = attrs.Factory(list)
    """Jobs that have ended: the peer is told with what it is told next, or after a while."""
    orphans: list[Attempt] = attrs.Factory(list)
    """Tasks that were to be sent when the blobs of their job were gone."""
    touched: list[Link] = attrs.Factory(list)
    """The node's list of links about which something has changed since its last flush; each is in it once."""
    is_touched: bool = False
    _unread_results: deque[tuple[int, int]] = attrs.Factory(deque)
    """The batches of these, and how many each has; where there are many, the first ones are taken for one."""

    def touch(self) -> None:
        """Something is to be sent, or has left the backlog."""
        if not self.is_touched:
            self.is_touched = True
            self.touched.append(self)

    def place(self, attempt: Attempt) -> None:
        """Give the attempt to the peer."""
        attempt.target = self
        self.sent[attempt.address] = attempt
        self.out_tasks.append(attempt)
        if not self.is_touched:
            self.touch()
        if attempt.talk:
            self.out_talk += [(attempt.address, text) for text in attempt.talk]
        if self.below:
            self.queued += 1
            self.queued_us += attempt.cost_us

    def close(self, address: Address) -> Attempt | None:
        """The terminal message for an attempt has come from the peer: its entry leaves. None for an unknown one."""
        attempt = self.sent.pop(address, None)
        if attempt is not None:
            if attempt.cancelled:
                self.cancelling.discard(address)
            batch = self.unread.get(attempt.batch)
            if batch is not None:
                self.queued -= 1
                self.queued_us -= attempt.cost_us
                batch[0] -= 1
                batch[1] -= attempt.cost_us
                if not batch[0]:
                    del self.unread[attempt.batch]
        return attempt

    def read_receipt(self, receipt: int, *, is_idle: bool) -> None:
        """The peer has seen all batches up to ``receipt``: what it says of its load includes them. One that is idle has
        started all that was in them; one that is not may have them in its queue."""
        if is_idle:
            for number in [number for number in self.unread if number <= receipt]:
                count, cost_us = self.unread.pop(number)
                self.queued -= count
                self.queued_us -= cost_us
        while self._unread_results and self._unread_results[0][0] <= receipt:
            self.results_unread -= self._unread_results.popleft()[1]

    def has_read_results(self) -> None:
        """The peer has read all results that were sent to it."""
        self.results_unread = 0
        self._unread_results.clear()

    def cancel(self, attempt: Attempt) -> None:
        """Ask the peer, who has the attempt, to stop it; its terminal message is the answer."""
        attempt.cancelled = True
        self.cancelling.add(attempt.address)
        self.out_cancels.append(attempt.address)
        self.touch()

    def say(self, attempt: Attempt, payload: bytes) -> None:
        """Pass a message to a task that the peer has."""
        self.out_talk.append((attempt.address, payload))
        self.touch()

    def has_part_in(self, job: JobId) -> bool:
        """Whether the peer has been given tasks of this job. One that has some still may not have heard of its end."""
        return job in self.known or any(attempt.spec.job == job for attempt in self.sent.values())

    def learn(self, message: Blobs, parts: Sequence[bytes], store: BlobStore) -> None:
        """Keep the blobs that the peer has sent, and remember that it has them. A peer below replaces none: others run
        by these what was not given to it."""
        blobs = store.setdefault(message.job, {})
        for digest, part in zip(message.digests, parts, strict=True):
            if not self.below or digest not in blobs:
                blobs[digest] = part
        self.known.setdefault(message.job, set()).update(message.digests)

    def flush(self, outbox: list[Send], blobs: BlobStore, now: float) -> None:
        """Pack all columns into messages."""
        self.is_touched = False
        if self.out_tasks:
            submitted, self.out_tasks = self.out_tasks, []
            for tasks in batched(submitted, 1 if buggify("batches of one") else PARTS_PER_MESSAGE_MAX):
                self._flush_tasks(Submit, tasks, outbox, blobs, now)
        if self.out_returned:
            returned, self.out_returned = self.out_returned, []
            for tasks in batched(returned, PARTS_PER_MESSAGE_MAX):
                self._flush_tasks(Returned, tasks, outbox, blobs, now)
        if self.out_results:
            ended, self.out_results = self.out_results, []
            for results in batched(ended, PARTS_PER_MESSAGE_MAX):
                self._flush_results(results, outbox)
        if self.out_talk:
            for address, payload in self.out_talk:
                outbox.append(Send(self.conn, Talk(address, len(payload)), [payload]))
            self.out_talk = []
        if self.out_lost:
            losses, self.out_lost = self.out_lost, []
            for lost in batched(losses, PARTS_PER_MESSAGE_MAX):
                beside = [i for i, x in enumerate(lost) if x.beside]
                crashes = [x.crash for x in lost]
                message = Lost([x.address for x in lost], [x.blamed for x in lost], list(map(len, crashes)), beside)
                outbox.append(Send(self.conn, message, crashes))
        if self.out_cancels:
            cancels, self.out_cancels = self.out_cancels, []
            for addresses in batched(cancels, PARTS_PER_MESSAGE_MAX):
                outbox.append(Send(self.conn, Cancel(addresses), ()))
        if self.out_forgets:
            forgets, self.out_forgets = self.out_forgets, []
            for jobs in batched(forgets, PARTS_PER_MESSAGE_MAX):
                outbox.append(Send(self.conn, Forget(jobs), ()))

    def _flush_tasks(
        self, kind: type[Submit | Returned], tasks: list[Attempt], outbox: list[Send], blobs: BlobStore, now: float
    ) -> None:
        """One message, or more when the specs alone would fill a header."""
        while tasks:
            specs, spec_of = spec_columns(tasks)
            batch, tasks = tasks[: len(spec_of)], tasks[len(spec_of) :]
            self._flush_batch(kind, batch, specs, spec_of, outbox, blobs, now)

    def _flush_batch(
        self,
        kind: type[Submit | Returned],
        tasks: list[Attempt],
        specs: list[TaskSpec],
        spec_of: list[int],
        outbox: list[Send],
        blobs: BlobStore,
        now: float,
    ) -> None:
        try:
            self._flush_blobs(specs, outbox, blobs)
        except KeyError:  # a peer has told of the end of a job, or brought it about, that has tasks here
            told = [attempt for attempt in tasks if self._can_tell(attempt.spec, blobs)]
            self.orphans += [attempt for attempt in tasks if not self._can_tell(attempt.spec, blobs)]
            self._flush_tasks(kind, told, outbox, blobs, now)
            return
        left = {i: max(a.deadline - now, 0.0) for i, a in enumerate(tasks) if a.deadline is not None}
        parts = [attempt.payload or b"" for attempt in tasks]
        self.batch_sent += 1
        addresses = [attempt.address for attempt in tasks]
        sizes = [len(part) for part in parts]
        parents = [attempt.above for attempt in tasks] if kind is Submit and not self.below else []
        alone = [i for i, attempt in enumerate(tasks) if attempt.alone]
        message = kind(self.batch_sent, specs, addresses, spec_of, sizes, left, parents, alone)
        outbox.append(Send(self.conn, message, parts))
        if kind is Submit and self.below:
            self.unread[self.batch_sent] = [len(tasks), sum(attempt.cost_us for attempt in tasks)]
        for attempt in tasks:
            attempt.batch = self.batch_sent
            if attempt.origin is not None:
                attempt.payload = None

    def _flush_blobs(self, specs: list[TaskSpec], outbox: list[Send], blobs: BlobStore) -> None:
        for spec in specs:
            known = self.known.setdefault(spec.job, set())
            missing = [d for d in dict.fromkeys((spec.function, *spec.blobs)) if d not in known]
            for digests in batched(missing, PARTS_PER_MESSAGE_MAX):
                parts = [blobs[spec.job][digest] for digest in digests]
                outbox.append(Send(self.conn, Blobs(spec.job, digests, [len(p) for p in parts]), parts))
            known.update(missing)

    def _note_results(self, count: int) -> None:
        unread = self._unread_results
        if len(unread) == UNREAD_BATCHES_MAX:
            first = unread.popleft()[1]
            unread[0] = (unread[0][0], unread[0][1] + first)
        unread.append((self.batch_sent, count))
        self.results_unread += count

    def _can_tell(self, spec: TaskSpec, blobs: BlobStore) -> bool:
        """Whether the peer knows what the tasks of this spec need, or can be told."""
        there = self.known.get(spec.job, set()).union(blobs.get(spec.job, ()))
        return there.issuperset((spec.function, *spec.blobs))

    def _flush_results(self, results: list[Result], outbox: list[Send]) -> None:
        self.batch_sent += 1
        if self.below:
            self._note_results(len(results))
        parts = [result.payload for result in results]
        message = Outcomes(
            self.batch_sent,
            [result.address for result in results],
            [result.kind for result in results],
            [result.duration_us for result in results],
            [len(part) for part in parts],
        )
        outbox.append(Send(self.conn, message, parts))

    def forget(self, job: JobId) -> None:
        """The job has ended: a peer below drops its blobs, too."""
        if self.known.pop(job, None) is not None and self.below:
            self.out_forgets.append(job)

    def clear(self) -> None:
        """The node begins anew. Attempts know their links, and the garbage collector does not look into attempts."""
        for table in (self.received, self.sent, self.losses, self.out_tasks, self.out_returned, self.orphans):
            table.clear()
