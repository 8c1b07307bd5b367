"""The hop rule: how tasks, outcomes, cancels and losses pass through one node.

Every link has two tables: what was *received* over it and what was *sent* over it. The rules, each a method here:

1. An entry leaves by exactly one terminal message: outcome, lost, or returned (not started, with its payload).
   Whichever comes first answers a cancel; a cancel or an answer for an unknown address is ignored.
2. When a link ends for good, all that was sent over it is lost to whoever submitted it, and all that was received over
   it is cancelled onwards. A loss is reported only when each cancel of its descendants has been answered, so that
   nobody submits a task again while children of its dead attempt still run.
3. What this node owns (a server's root tasks) is settled by its `Owner`, who may submit again.

Two tables per link and not one per node: a task may pass through the same manager twice, up once and down once.

A lost task waits for the answers to *its own* descendants' cancels, and no others. To wait for all that a dead worker
had submitted looks simpler and deadlocks: two workers die that ran children of each other's tasks, and each loss waits
for the other's. Of tasks and their descendants there are no circles. So what is offered from below names its nearest
ancestor that this node has given to that link, and each node puts its own view of that in when it passes the task up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import attrs

from triort._core.attempts import Attempt, Result
from triort._core.backlog import Backlog
from triort._core.links import BlobStore, Link, Loss, Send
from triort._core.packing import pack
from triort._model.ids import Address
from triort._model.marks import sometimes
from triort._model.outcomes import OutcomeKind


class Owner(Protocol):
    """Who submitted the attempts that have no origin."""

    def settle(self, attempt: Attempt, result: Result) -> None:
        """The attempt has ended."""

    def settle_values(self, attempts: list[Attempt], results: list[Result]) -> None:
        """They have ended, with values."""

    def lose(self, attempt: Attempt, loss: Loss) -> None:
        """Nobody can answer for the attempt any more."""


@attrs.define(eq=False)
class Hops:
    """The tables of all links of a node, its backlog, and the blobs of the jobs that pass through."""

    owner: Owner | None = None
    backlog: Backlog = attrs.Factory(Backlog)
    blobs: BlobStore = attrs.Factory(dict)
    ended: set[Link] = attrs.Factory(set)
    """The links that have ended and have losses that wait."""

    def pass_result(self, attempt: Attempt, result: Result) -> None:
        """The terminal message of a closed attempt goes on to where the attempt came from."""
        origin = attempt.origin
        if origin is None:
            if self.owner is not None:
                self.owner.settle(attempt, result)
        elif origin.ended:
            self._answered(origin, attempt.parent)
        else:
            del origin.received[attempt.address]
            origin.out_results.append(result)
            if not origin.is_touched:
                origin.touch()

    def pass_results(self, attempts: list[Attempt], results: list[Result]) -> None:
        """The same for the values of many: those of a map mostly come from one place."""
        origin = attempts[0].origin
        is_run = len(attempts) > 1 and {attempt.origin for attempt in attempts} == {origin}
        if not is_run or (origin is not None and origin.ended):
            for attempt, result in zip(attempts, results, strict=True):
                self.pass_result(attempt, result)
        elif origin is None:
            if self.owner is not None:
                self.owner.settle_values(attempts, results)
        else:
            for attempt in attempts:
                del origin.received[attempt.address]
            origin.out_results += results
            origin.touch()

    def pass_loss(self, attempt: Attempt, loss: Loss) -> None:
        """The loss of a closed attempt goes on to where the attempt came from."""
        origin = attempt.origin
        if origin is None:
            if self.owner is not None:
                self.owner.lose(attempt, loss)
        elif origin.ended:
            self._answered(origin, attempt.parent)
        else:
            del origin.received[attempt.address]
            origin.out_lost.append(loss)
            origin.touch()

    def take_back(self, attempt: Attempt, payload: bytes) -> bool:
        """An attempt came back unstarted; true when it waits in the backlog again, false when it had been cancelled."""
        if attempt.payload is None:
            attempt.payload = payload
        attempt.target = None
        if attempt.cancelled:
            sometimes("a task that comes back unstarted has been cancelled")
            self.pass_result(attempt, cancelled(attempt))
            return False
        self.backlog.add_first(attempt)
        return True

    def give_back(self, boss: Link, count: int) -> int:
        """Hand up to ``count`` unstarted attempts back to the boss, the shallowest first; returns how many."""
        for done in range(count):
            attempt = self.backlog.pop_shallowest_given()
            if attempt is None:
                return done
            del boss.received[attempt.address]
            boss.out_returned.append(attempt)
            boss.touch()
        return count

    def cancel(self, attempt: Attempt) -> None:
        """Whoever submitted this open attempt wants it no more."""
        if attempt.cancelled:
            return
        attempt.cancelled = True
        if attempt.target is not None:
            if attempt.address in attempt.target.sent:  # else the link has ended, or the task's end is being handled
                attempt.target.cancel(attempt)
        elif attempt.queued:
            sometimes("a queued task is cancelled")
            self.backlog.remove(attempt)
            self.pass_result(attempt, cancelled(attempt))

    def cancel_received(self, link: Link, addresses: Sequence[Address]) -> None:
        """A cancel has come over ``link``."""
        for address in addresses:
            attempt = link.received.get(address)
            if attempt is not None:
                self.cancel(attempt)

    def flush(self, link: Link, outbox: list[Send], now: float) -> None:
        """Pack what is to be sent over this link. Tasks that cannot be, for their job has been forgotten, are lost: no
        good peer has a job end that has tasks, so nobody waits for them but who has lied."""
        pack(link, outbox, self.blobs, now)
        if link.orphans:
            orphans, link.orphans = link.orphans, []
            for attempt in orphans:
                if link.close(attempt.address) is not None:
                    self.pass_loss(attempt, Loss(attempt.address, False, b""))

    def end_link(self, link: Link, blame: Loss | None = None) -> None:
        """The link has ended for good; see rule 2."""
        link.ended = True
        losses, unanswered = link.losses, link.unanswered
        for attempt in link.sent.values():
            losses[attempt.address] = (attempt, Loss(attempt.address, False, b""))
        if blame is not None and blame.address in link.sent:
            culprit = link.sent[blame.address]
            losses[culprit.address] = (culprit, blame)
            for each in _ancestors(culprit):
                if each.target is link:
                    losses[each.address] = (each, Loss(each.address, False, b"", beside=True))
        link.sent.clear()
        link.out_tasks.clear()  # these know the link, in a circle that the garbage collector does not see
        link.out_returned.clear()
        received, link.received = link.received, {}
        for attempt in received.values():
            if attempt.target is not None:
                unanswered[attempt.parent] = unanswered.get(attempt.parent, 0) + 1
                self.cancel(attempt)
            elif attempt.queued:
                self.backlog.remove(attempt)
        if unanswered:
            sometimes("a loss waits for the ends of its descendants")
        for address in [address for address in losses if address not in unanswered]:
            attempt, loss = losses.pop(address)
            self.pass_loss(attempt, loss)
        if losses:
            self.ended.add(link)

    def _answered(self, link: Link, parent: Address) -> None:
        """A task that came over an ended link is over. With the last one of a parent, the parent's loss is reported;
        where that came over an ended link, too, it is an answer there, and so on up the tree of tasks."""
        while True:
            left = link.unanswered[parent] - 1
            if left:
                link.unanswered[parent] = left
                return
            del link.unanswered[parent]
            lost = link.losses.pop(parent, None)
            if not link.losses:
                self.ended.discard(link)
            if lost is None:
                return
            attempt, loss = lost
            if attempt.origin is None or not attempt.origin.ended:
                self.pass_loss(attempt, loss)
                return
            sometimes("a loss is the answer that another loss waits for")
            link, parent = attempt.origin, attempt.parent


def _ancestors(attempt: Attempt) -> Iterator[Attempt]:
    """Those that this node knows, from below to above. A bad peer may have named a child of a task as its parent."""
    seen = {attempt.address}
    while attempt.origin is not None and (parent := attempt.origin.sent.get(attempt.parent)) is not None:
        if parent.address in seen:
            return
        seen.add(parent.address)
        sometimes("a task dies with the worker of an ancestor")
        yield parent
        attempt = parent


def cancelled(attempt: Attempt) -> Result:
    """The outcome of an attempt that was cancelled before it started."""
    return Result(attempt.address, OutcomeKind.CANCELLED, 0, b"")
