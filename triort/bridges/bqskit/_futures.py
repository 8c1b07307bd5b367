"""Futures as BQSKit's passes know them, over triort's own.

A future is over once it was awaited or cancelled. To await it again raises, as it does in BQSKit.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from bqskit.runtime.future import RuntimeFuture

from triort._model.outcomes import OutcomeKind
from triort._node.futures import Future
from triort._wire import payload
from triort.bridges.bqskit._state import TaskState


class TaskFuture(RuntimeFuture):  # type: ignore[misc]
    """What `submit` and `map` give; belongs to the task that made it, and refuses to be pickled."""

    def __init__(self, mailbox_id: int, state: TaskState, inner: Future) -> None:
        super().__init__(mailbox_id)
        self._state = state
        self._inner = inner
        self._is_over = False
        state.futures[mailbox_id] = self

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._wait().__await__()

    @property
    def _done(self) -> bool:
        """Whether awaiting it would not block; looks at the mail."""
        worker = self._state.worker
        worker.read_mail()
        worker.act()
        return self._is_over or self._inner.done()

    def raise_error(self) -> None:
        """Raise what a child has raised, if that is known."""
        failure = self._inner._failure
        if failure is not None and failure[0] != OutcomeKind.CANCELLED:
            self.close()
            raise payload.load_error(*failure, self._inner._name)

    def close(self) -> None:
        """It is over."""
        self._is_over = True
        self._state.futures.pop(self.mailbox_id, None)

    async def _wait(self) -> Any:
        if self._is_over:
            raise RuntimeError("Cannot await on a canceled task.")
        try:
            return await self._inner
        finally:
            self.close()

    async def next_batch(self) -> list[tuple[int, Any]]:
        """Results that have come since the last call, at least one unless all have been given."""
        if self._is_over:
            raise RuntimeError("Cannot wait on an already completed result.")
        return await self._inner._next() if self._inner._has_more() else []
