"""The journal of tier 1's server: the real ledger, and a list that survives the server, as `triort._node.journal`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from triort._core.journal import Write
from triort._core.server_core import ServerCore
from triort.testing._records import COMMIT_S, written

if TYPE_CHECKING:
    from triort.testing._tier1.bosses import Boss


class Journal:
    """Commits what has gathered, one commit after the other, while its server lives."""

    def __init__(self, server: Boss) -> None:
        self._server = server
        self._writes: list[Write] = []
        self._number = 0
        self._is_committing = False

    def put(self, number: int, writes: Sequence[Write]) -> None:
        """Have this written."""
        if number > self._number:
            self._number = number
            self._writes += writes
            self._commit()

    def _commit(self) -> None:
        if self._is_committing or not self._number:
            return
        self._is_committing = True
        cluster, writes, self._writes = self._server.cluster, self._writes, []
        cluster.num_commits += 1
        delay_s = cluster.draws.uniform(*COMMIT_S, "commit", cluster.num_commits)
        cluster.heap.at(delay_s, self._committed, self._number, writes)

    def _committed(self, number: int, writes: Sequence[Write]) -> None:
        server = self._server
        if server.dead:
            return
        server.cluster.records = written(server.cluster.records, writes)
        self._is_committing = False
        core = server.core
        assert isinstance(core, ServerCore)
        core.now = server.clock.now
        core.handle_committed(number)
        if self._number > number:
            self._commit()
        server.perform()


def open_journal(server: Boss) -> Journal:
    """What an earlier server has left is taken up."""
    core = server.core
    assert isinstance(core, ServerCore)
    core.now = server.clock.now
    core.open_ledger(server.cluster.now, server.cluster.records)
    return Journal(server)
