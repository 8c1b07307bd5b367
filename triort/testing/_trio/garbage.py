"""Collects garbage at fixed points of a run instead of whenever Python likes: a finalizer may wake tasks.

What was there before the run is frozen, which costs nothing; so each collection looks only at what the run has made.
One in the middle looks at each object once, when it is young; the one at the end at all that is left of the run.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

FROZEN_BY_PYTHON_MAX = 1000
"""Python 3.12 starts with some hundred frozen objects."""


@contextmanager
def collected_at_fixed_points() -> Iterator[None]:
    """No automatic collection inside; one at the end."""
    was_on = gc.isenabled()
    may_freeze = gc.get_freeze_count() <= FROZEN_BY_PYTHON_MAX  # else unfreezing would also undo somebody else's
    gc.disable()
    if may_freeze:
        gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        if may_freeze:
            gc.unfreeze()
        if was_on:
            gc.enable()


def collect_young() -> None:
    """Collect what has been made since the last time; call it between two batches of tasks."""
    gc.collect(0)
