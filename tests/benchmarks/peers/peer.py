"""What the rows ask of a peer. Not everybody can everything: the rows name the peers that they are for.

The methods are async, for triort and trio-parallel live in a trio loop. Those of the other peers block and never yield,
and are run without a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

Fn = Callable[..., Any]


class Peer(Protocol):
    """A runtime with its workers, opened by the function ``open_peer(num_workers)`` of its module."""

    workers: int

    async def call(self, fn: Fn, *args: Any) -> Any:
        """Run one task and return its value."""

    async def map(self, fn: Fn, items: Sequence[Any]) -> list[Any]:
        """The values of a task for each item, in order, by what the peer has for that, not chunked by hand."""

    async def submits(self, fn: Fn, items: Sequence[Any]) -> list[Any]:
        """The same with one call for each item, all at once, before anything is waited for."""

    async def first(self, fn: Fn, items: Sequence[Any]) -> float:
        """Seconds from a map until its first result is there; returns when all are."""

    def processes(self) -> dict[str, list[int]]:
        """The processes by what they are; those not named belong to the peer, too."""


class Nesting(Peer, Protocol):
    """One whose tasks have children."""

    async def tree(self, depth: int, fan: int) -> int:
        """How many tasks a tree of maps has, having run it."""

    async def fib(self, n: int) -> int:
        """Fibonacci's number, two children for each task, each submitted by itself."""

    async def submits_inside(self, n: int) -> float:
        """Seconds that a task takes for n children, each submitted by itself, all at once."""


class Cancelling(Peer, Protocol):
    """One that can take tasks back."""

    async def cancel_many(self, n: int) -> float:
        """Start n tasks of 10 ms, cancel all when they run, and tell the seconds until a new task is done."""

    async def interrupt(self) -> float:
        """Start an endless loop for each worker, cancel all, and tell the seconds until all workers are usable."""


class Queueing(Peer, Protocol):
    """One in which tasks can be queued by one map, and by single submits."""

    def queue_map(self, items: Sequence[Any]) -> AbstractAsyncContextManager[None]:
        """Queue no-ops behind tasks that occupy all workers; they stay in the block, and run or are cancelled after."""

    def queue_submits(self, items: Sequence[Any]) -> AbstractAsyncContextManager[None]:
        """The same, each by itself."""
