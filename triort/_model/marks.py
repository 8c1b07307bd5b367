"""Points in the product that a simulation takes an interest in; elsewhere they do nothing and cost next to nothing.

``sometimes(name)`` stands where something rare happens: a set of simulated runs that never gets there is too tame, and
fails. ``buggify(name)`` stands where the product may also go another, allowed, way that is rare in reality: now and
then a simulation takes it. Both are for what stays correct either way; neither may stand where every message passes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Observer(Protocol):
    """A simulation that is going on."""

    def hit(self, name: str) -> None:
        """The mark was reached."""

    def flip(self, name: str) -> bool:
        """Whether the product goes its rare way this time."""


_observer: Observer | None = None


def sometimes(name: str) -> None:
    """This happens now and then."""
    if _observer is not None:
        _observer.hit(name)


def buggify(name: str) -> bool:
    """True if a simulation wants the rare way here; always False outside."""
    return _observer is not None and _observer.flip(name)


@contextmanager
def observed(observer: Observer) -> Iterator[None]:
    """Tell the observer of all marks, for the time of a simulation."""
    global _observer
    before, _observer = _observer, observer
    try:
        yield
    finally:
        _observer = before
