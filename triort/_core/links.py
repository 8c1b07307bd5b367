"""The books of one link: what was received over it, what was sent over it, and what waits to be sent.

Events only note what is to be sent, in columns; `packing` makes messages of them once the event batch is through. The
order within one flush is part of the protocol: blobs before the tasks that need them, tasks before talk and cancels
that name them, outcomes before the idle count that follows from them (which the node core adds).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import groupby, repeat
from operator import attrgetter
from typing import NamedTuple

import attrs

from triort._core.attempts import Attempt, Result
from triort._model.ids import Address, Digest, JobId
from triort._model.limits import UNREAD_BATCHES_MAX
from triort._model.messages import Blobs, Message

_batch_of = attrgetter("batch")

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

    def place(self, *attempts: Attempt) -> None:
        """Give the attempts to the peer."""
        sent = self.sent
        for attempt in attempts:
            attempt.target = self
            sent[attempt.address] = attempt
            if attempt.talk:
                self.out_talk += [(attempt.address, text) for text in attempt.talk]
        self.out_tasks += attempts
        if not self.is_touched:
            self.touch()
        if self.below:
            self.queued += len(attempts)
            self.queued_us += sum([attempt.cost_us for attempt in attempts])

    def orphan(self, attempts: list[Attempt]) -> None:
        """These have been placed and cannot be sent: they are in no batch, and take no credit."""
        self.orphans += attempts
        for attempt in attempts:
            attempt.batch = 0
        if self.below:
            self.queued -= len(attempts)
            self.queued_us -= sum([attempt.cost_us for attempt in attempts])

    def close(self, address: Address) -> Attempt | None:
        """The terminal message for an attempt has come from the peer: its entry leaves. None for an unknown one."""
        attempt = self.sent.pop(address, None)
        if attempt is not None:
            self._note_closed([attempt])
        return attempt

    def close_all(self, addresses: Sequence[Address]) -> list[Attempt | None]:
        """The same for many."""
        attempts = list(map(self.sent.pop, addresses, repeat(None)))
        self._note_closed([attempt for attempt in attempts if attempt is not None])
        return attempts

    def _note_closed(self, attempts: list[Attempt]) -> None:
        """What has ended takes no credit any more, and answers its cancel."""
        if self.cancelling:
            self.cancelling.difference_update([attempt.address for attempt in attempts])
        unread = self.unread
        if not unread:
            return
        for number, those in groupby(attempts, _batch_of):
            batch = unread.get(number)
            if batch is not None:
                costs_us = [attempt.cost_us for attempt in those]
                count, cost_us = len(costs_us), sum(costs_us)
                self.queued -= count
                self.queued_us -= cost_us
                batch[0] -= count
                batch[1] -= cost_us
                if not batch[0]:
                    del unread[number]

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

    def note_results(self, count: int) -> None:
        """So many results have just been sent down."""
        unread = self._unread_results
        if len(unread) == UNREAD_BATCHES_MAX:
            first = unread.popleft()[1]
            unread[0] = (unread[0][0], unread[0][1] + first)
        unread.append((self.batch_sent, count))
        self.results_unread += count

    def forget(self, job: JobId) -> None:
        """The job has ended: a peer below drops its blobs, too."""
        if self.known.pop(job, None) is not None and self.below:
            self.out_forgets.append(job)

    def clear(self) -> None:
        """The node begins anew. Attempts know their links, and the garbage collector does not look into attempts."""
        for table in (self.received, self.sent, self.losses, self.out_tasks, self.out_returned, self.orphans):
            table.clear()
