"""Bosses of a user's test look at their workers only while one of them computes, so that a long sleep costs nothing.

A boss looks at the pages of its busy workers every 5 ms of virtual time, also while their tasks only sleep: an hour
would take minutes to simulate. At a worker that does not compute it never finds anything to do: its loop reads its mail
at once, and keeps its deadlines by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio

from triort._model.limits import POKE_S
from triort._node.lookout import Lookout
from triort.testing._tier2.cluster import Cluster
from triort.testing._tier2.process import SimProcess


class Looks:
    """When to look in one run."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._computing = trio.Event()
        self._is_awaited = False

    def note_computing(self) -> None:
        """A sync task is about to hold the CPU of its worker. It stands outside of trio, so the clock tells."""
        if self._is_awaited:
            self._is_awaited = False
            self._cluster.at(self._cluster.now, self._tell)

    def _tell(self) -> None:
        self._computing.set()
        self._computing = trio.Event()

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, all worker pools look by this."""
        looks = self

        async def run(lookout: Any) -> None:
            while True:
                await lookout.busy.wait()
                await trio.sleep(POKE_S)
                lookout.node.sel.put_nowait(lookout.look)
                if not any(_is_computing(worker.process) for worker in lookout.pool.workers.values()):
                    looks._is_awaited = True
                    await looks._computing.wait()

        original = Lookout.run
        Lookout.run = run  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            Lookout.run = original  # type: ignore[method-assign]


def _is_computing(process: Any) -> bool:
    return isinstance(process, SimProcess) and process._held is not None
