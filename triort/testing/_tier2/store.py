"""The journal of a simulated server. A commit takes its time, and is made whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import trio

from triort._core.journal import Write
from triort._model.ids import JobId
from triort.testing._records import COMMIT_S, written

if TYPE_CHECKING:
    from triort.testing._tier2.cluster import Cluster


class SimStore:
    """What `triort._node.sqlite_journal` is on a real machine."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def load(self) -> list[tuple[JobId, bytes]]:
        """All records, in the order in which they were written."""
        await trio.lowlevel.checkpoint()
        return list(self._cluster.records)

    async def commit(self, writes: Sequence[Write]) -> None:
        """Make all of these durable, or, if the server dies meanwhile, none."""
        cluster = self._cluster
        cluster.num_commits += 1
        await trio.sleep(cluster.draws.uniform(*COMMIT_S, "commit", cluster.num_commits))
        cluster.records = written(cluster.records, writes)

    async def aclose(self) -> None:
        """Nothing is held."""
        await trio.lowlevel.checkpoint()
