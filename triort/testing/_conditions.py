"""What users state about their code: always, sometimes. Checked in a simulation; elsewhere they do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from triort._model.marks import observed
from triort.testing._events import Violation

if TYPE_CHECKING:
    from triort.testing._sim import Sim

current: list[Sim] = []
"""The simulation that is going on: one at most."""


def always(condition: object, name: str) -> None:
    """The condition holds whenever this line is reached. If not, the simulated run fails under this name."""
    if current and not condition:
        sim = current[-1]
        sim.violate(Violation("always", f"{name} does not hold", sim.time()))


def sometimes(condition: object, name: str) -> None:
    """The condition holds at least once in all the seeds of a test that reach this line, or the test fails: it would
    not have tested what this is about."""
    if current:
        current[-1].note(name, reached=bool(condition))


def compute(seconds: float) -> None:
    """In a simulation: the sync task that calls this takes so much virtual time on its CPU. Elsewhere: nothing."""
    if current:
        current[-1].compute(seconds)


class _Nobody:
    """Takes no interest in marks."""

    def hit(self, name: str) -> None:
        """Nothing."""

    def flip(self, name: str) -> bool:
        """Never."""
        return False


@contextmanager
def set_aside() -> Iterator[None]:
    """Inside, nothing is checked, counted or done the rare way, as if there were no simulation."""
    kept = current[:]
    current.clear()
    try:
        with observed(_Nobody()):
            yield
    finally:
        current[:] = kept
