"""What is known of a BQSKit task while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from triort._core.worker_core import Running
from triort.bridges.bqskit._setup import Setup

if TYPE_CHECKING:
    from triort._node.worker import Worker
    from triort.bridges.bqskit._futures import TaskFuture


class TaskFunction(Protocol):
    """What triort's worker calls for a BQSKit task."""

    @property
    def setup(self) -> Setup:
        """How the tasks of its compilation log."""

    def child(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The same for a function that the task submits."""


@attrs.define(eq=False)
class TaskState:
    """One BQSKit task that has been started in this worker."""

    worker: Worker
    running: Running
    function: TaskFunction
    futures: dict[int, TaskFuture] = attrs.Factory(dict)
    """Those that nobody has awaited or cancelled yet, by their mailbox ids."""
    log_level: int = attrs.field(init=False)
    """The root logger's level while it is on the CPU."""

    def __attrs_post_init__(self) -> None:
        self.log_level = self.setup.level_at(self.running.attempt.spec.depth)

    @property
    def setup(self) -> Setup:
        """How it logs."""
        return self.function.setup

    def raise_unseen(self) -> None:
        """Raise what a child has raised that nobody has awaited."""
        for future in list(self.futures.values()):
            future.raise_error()


class _Current:
    state: TaskState | None = None


def current_state() -> TaskState | None:
    """The BQSKit task on the CPU."""
    return _Current.state


def set_current_state(state: TaskState | None) -> None:
    """A BQSKit task comes onto the CPU, or leaves it."""
    _Current.state = state
