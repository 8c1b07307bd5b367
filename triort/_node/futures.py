"""What a task holds of its children: one outcome for ``submit``, one for each item for ``map``.

A future belongs to the task that made it. Outcomes are kept as they arrived and unpickled when they are asked for.
Waiting frees the task's slot. A cancel of ``await future`` cancels the children and waits for their end (shielded, and
bounded: what does not yield is killed after the grace time); a cancel of `Runtime.next` or `Runtime.as_completed` only
stops waiting.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, NoReturn

import trio

from triort._core.attempts import Result
from triort._core.worker_core import Child, Running
from triort._model.errors import TaskCancelled, TaskInterrupted, UsageError
from triort._model.outcomes import OutcomeKind
from triort._wire import payload

if TYPE_CHECKING:
    from triort._node.worker import Worker


class Future:
    """The outcome, or outcomes, of child tasks. Await it in async code, call `result` in sync code."""

    __slots__ = ("_arrived", "_cancelled", "_event", "_failure", "_is_map", "_name", "_num_woken", "_open", "_owner",
                 "_results", "_sync_waiter", "_wants_each", "_worker")  # fmt: skip

    def __init__(self, worker: Worker, owner: Running, name: str, *, is_map: bool) -> None:
        self._worker = worker
        self._owner = owner
        self._name = name
        self._is_map = is_map
        self._open: dict[int, Child] = {}
        self._results: list[bytes | None] = []
        self._arrived: list[int] = []
        self._failure: tuple[int, bytes] | None = None
        self._cancelled = False
        self._event: trio.Event | None = None
        self._num_woken = 0
        """How often who waits was to be woken. If that has changed when a wait has let others go on, it is over."""
        self._sync_waiter = False
        self._wants_each = False

    def done(self) -> bool:
        """True when waiting would not block."""
        return self._cancelled or not self._open

    def result(self) -> Any:
        """The value, or for a map the list of values in order; blocks the calling sync task, not its slot.

        Raises the exception of the child as itself, `TaskCancelled` after `Runtime.cancel`.
        """
        self._check_owner()
        if self._worker.in_async_task():
            raise UsageError("future.result() is for sync tasks; in an async task use: await future")
        while self._open:
            self._wait_sync()
        return self._value()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._wait_all().__await__()

    def __reduce__(self) -> NoReturn:
        raise UsageError(f"a future ({self._name}) cannot be pickled: await it and pass its value")

    def __repr__(self) -> str:
        state = "cancelled" if self._cancelled else "open" if self._open else "done"
        return f"<triort.Future of {self._name}, {state}>"

    # -- for the runtime -----------------------------------------------------------------------------------------

    def _settle(self, child: Child, result: Result) -> None:
        """A child has ended."""
        index = child.index
        if self._open.pop(index, None) is None:
            return  # abandoned: the worker ends
        if child.attempt.deadline is not None:
            self._worker.waits.publish()
        if result.kind == OutcomeKind.VALUE:
            self._results[index] = result.payload
            self._arrived.append(index)
        else:
            self._note_failure(result)
        if not self._open or (self._wants_each and self._arrived):
            self._wake()

    def _note_failure(self, result: Result) -> None:
        """The first failure cancels the other children. Also called by a poke, before `_settle`."""
        if result.kind != OutcomeKind.VALUE and self._failure is None:
            self._failure = (result.kind, result.payload)
            if not self._cancelled:
                self._cancel_open()

    def _cancel_open(self) -> None:
        for child in list(self._open.values()):
            self._worker.core.cancel_child(child)

    def _mark_cancelled(self) -> None:
        self._cancelled = True
        self._cancel_open()
        self._wake()

    def _abandon(self) -> None:
        """Nothing will come any more: the worker ends."""
        self._open.clear()
        self._cancelled = True
        self._wake()

    def _wake(self) -> None:
        self._num_woken += 1
        if self._event is not None:
            self._event.set()
            self._event = None
        if self._sync_waiter:
            self._sync_waiter = False
            self._worker.sync_tasks.wake(self._owner.handle)

    def _check_owner(self) -> None:
        if self._worker.current_task() is not self._owner:
            raise UsageError(f"this future ({self._name}) belongs to another task; await it where it was made")

    def _wait_sync(self) -> None:
        """One wait of the owning sync task, until something has happened."""
        worker, owner = self._worker, self._owner
        if owner.cancelled:
            raise TaskInterrupted
        self._sync_waiter = True
        try:
            worker.suspend_sync(owner)
        finally:
            self._sync_waiter = False

    async def _wait_event(self, *, is_next: bool = False) -> None:
        """One wait of the owning async task, until something has happened. The deadline of a scope around it is the
        children's, too, unless it is a wait that only stops (``is_next``).

        A child may run here and now, and end. Trio's loop has its turn then only after `TURN_US` without one, for that
        takes as long as all the rest."""
        worker, owner = self._worker, self._owner
        execution, num_woken, runs_on = worker.execution, self._num_woken, False
        is_due = execution.is_turn_due
        if is_due:  # the child may run before that turn all the same: left to the loop, it would take two
            execution.begin_slice()
        worker.waits.begin(owner, self, math.inf if is_next else trio.current_effective_deadline())
        worker.go_on()
        try:
            if self._num_woken == num_woken:
                if self._event is None:
                    self._event = trio.Event()
                await self._event.wait()
            elif is_due or execution.is_turn_due:
                await trio.lowlevel.checkpoint()
            else:
                await trio.lowlevel.checkpoint_if_cancelled()
                worker.enter(owner)
                runs_on = True
        finally:
            if not runs_on:
                execution.begin_slice()
            worker.waits.end(owner, self)

    async def _wait_all(self) -> Any:
        self._check_owner()
        if not self._open:
            await trio.lowlevel.checkpoint()
            return self._value()
        try:
            while self._open and not self._cancelled:
                await self._wait_event()
        except trio.Cancelled:
            self._cancel_open()
            self._worker.wake()
            with trio.CancelScope(shield=True):
                while self._open:
                    await self._wait_event()
            raise
        if self._failure is not None and self._failure[0] == OutcomeKind.CANCELLED and not self._cancelled:
            # A scope around this wait has expired while the child kept the CPU: a poke has cancelled the child, and
            # trio has not seen the deadline yet. The scope's Cancelled is the answer, not the child's.
            await trio.lowlevel.checkpoint()
        return self._value()

    def _has_more(self) -> bool:
        return bool(self._open or self._arrived or self._failure is not None)

    async def _next(self) -> list[tuple[int, Any]]:
        self._check_owner()
        if not self._open and not self._arrived and self._failure is None:
            raise UsageError(f"all results of this future ({self._name}) have been taken")
        await trio.lowlevel.checkpoint()
        self._wants_each = True
        try:
            while (not self._arrived or self._failure is not None) and self._open and not self._cancelled:
                await self._wait_event(is_next=True)
        finally:
            self._wants_each = False  # also after a cancel, or later waits would be woken by each result
        if self._failure is not None or self._cancelled:
            self._value()
        arrived, self._arrived = self._arrived, []
        return [(index, payload.loads(self._results[index] or b"")) for index in arrived]

    def _value(self) -> Any:
        if self._cancelled:
            raise TaskCancelled(f"task {self._name} has been cancelled")
        self._arrived = []
        if self._failure is not None:
            raise payload.load_error(*self._failure, self._name)
        values = [payload.loads(result or b"") for result in self._results]
        return values if self._is_map else values[0]
