"""What blocking peers have in common: how workers are held while tasks are queued, how loops without an end begin."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks import tasks

RUN_S = 0.2
"""How long tasks run before they are cancelled."""


def new_folder() -> str:
    return tempfile.mkdtemp()


@contextmanager
def held(start: Callable[..., Any], workers: int) -> Iterator[list[Any]]:
    """Occupy all workers within the block; gives what ``start(hold, folder, gate)`` returned for each."""
    folder, gate = new_folder(), Path(new_folder(), "gate")
    handles = [start(tasks.hold, folder, str(gate)) for _ in range(workers)]
    try:
        tasks.wait_noted(folder, workers)
        yield handles
    finally:
        gate.touch()


def let_run(since: float) -> None:
    """Wait until tasks that were started then have run for a moment."""
    time.sleep(max(0.0, since + RUN_S - time.perf_counter()))
