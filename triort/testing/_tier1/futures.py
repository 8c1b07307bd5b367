"""What a scripted task holds of its children, by the rules of `triort._node.futures`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triort._core.attempts import Result
from triort._core.running import Child
from triort._model.outcomes import OutcomeKind
from triort.testing._events import Kind, Outcome, Violation, note_outcome
from triort.testing._plan.plan import Batch

if TYPE_CHECKING:
    from triort.testing._tier1.activities import Activity
    from triort.testing._tier1.workers import Worker

KINDS = {kind: kind.name.lower() for kind in OutcomeKind}


class Future:
    """The children of one batch."""

    __slots__ = ("_activity", "_batch", "_said", "_told", "_worker", "cancelled", "failed", "open", "total")

    def __init__(self, worker: Worker, activity: Activity, batch: Batch) -> None:
        self._worker = worker
        self._activity = activity
        self._batch = batch
        self._said: dict[int, int] = {}
        self._told: set[int] = set()
        self.open: dict[int, Child] = {}
        self.total = 0
        self.failed = False
        self.cancelled = False

    def tell(self, child: Child, result: Result) -> None:
        """The outcome of a child is in the core's books; told once, however much later the task here learns of it."""
        if child.index in self._told:
            return
        self._told.add(child.index)
        name = self._batch.children[child.index].name
        outcome = outcome_of(result.kind, result.payload)
        worker = self._worker
        note_outcome(worker.cluster.outcomes, name, outcome)
        worker.tell(Kind.SETTLE, name, number=child.attempt.address, detail=str(outcome))
        retries = child.attempt.spec.options.retries
        if result.kind == OutcomeKind.ERROR and not child.cancelled and child.retries != retries:
            raise Violation("retries_counted", f"{name} ended as error after {child.retries} retries", worker.now)

    def settle(self, child: Child, result: Result) -> None:
        """A child has ended."""
        self.tell(child, result)
        del self.open[child.index]
        if result.kind == OutcomeKind.VALUE:
            self.total += outcome_of(result.kind, result.payload).value
        else:
            self.note_failure(result)
        if not self.open:
            self._worker.wake(self._activity, self)

    def note_failure(self, result: Result) -> None:
        """The first failure cancels the other children."""
        if result.kind != OutcomeKind.VALUE and not self.failed:
            self.failed = True
            if not self.cancelled:
                self.cancel_open()

    def mark_cancelled(self) -> None:
        """The task wants these children no more."""
        self.cancelled = True
        self.cancel_open()

    def cancel_open(self) -> None:
        """Cancel what has not ended."""
        for child in list(self.open.values()):
            self._worker.core.cancel_child(child)

    def say(self, child: Child) -> None:
        """The next message to a child: it names this attempt of the parent, and how many have gone before."""
        parent = self._activity.running.attempt.address
        number = self._said.get(child.index, 0)
        self._said[child.index] = number + 1
        self._worker.core.talk_to_child(child, b"%d:%d" % (parent, number))


def outcome_of(kind: int, payload: bytes) -> Outcome:
    """An outcome as events show it."""
    if kind == OutcomeKind.VALUE:
        return Outcome("value", int(payload))
    return Outcome(KINDS[OutcomeKind(kind)])
