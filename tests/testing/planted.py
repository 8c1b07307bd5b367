"""Bugs planted in the cores, each as a context manager: what the simulation has to find, and to make small."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from triort._core.attempts import Attempt
from triort._core.hops import Hops
from triort._core.links import Link, Loss
from triort._core.running import Running
from triort._core.worker_core import WorkerCore
from triort._model.ids import Address


@contextmanager
def lost_tasks_are_forgotten() -> Iterator[None]:
    """A link that ends takes with it what was sent over it: nobody submits it again."""
    end_link = Hops.end_link

    def broken(self: Hops, link: Link, blame: Loss | None = None) -> None:
        link.sent.clear()
        end_link(self, link, blame)

    with patch.object(Hops, "end_link", broken):
        yield


@contextmanager
def cancels_are_never_answered() -> Iterator[None]:
    """The table of open cancels only grows."""
    close = Link.close

    def broken(self: Link, address: Address) -> Attempt | None:
        cancelling = set(self.cancelling)
        attempt = close(self, address)
        self.cancelling |= cancelling
        return attempt

    with patch.object(Link, "close", broken):
        yield


@contextmanager
def parents_end_before_their_children() -> Iterator[None]:
    """A task's outcome goes while children that it has not waited for still run."""
    returned = WorkerCore.returned

    def broken(self: WorkerCore, running: Running, *args: Any) -> None:
        children, running.children = running.children, {}
        returned(self, running, *args)
        running.children = children

    with patch.object(WorkerCore, "returned", broken):
        yield


BUGS: dict[str, Callable[[], Any]] = {
    bug.__name__: bug
    for bug in (lost_tasks_are_forgotten, cancels_are_never_answered, parents_end_before_their_children)
}
