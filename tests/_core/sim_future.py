"""What a scripted task holds of its children, by the rules of `triort._node.futures`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from tests._core.scripts import VALUE, Script
from triort._core.attempts import Result
from triort._core.running import Child, Running

if TYPE_CHECKING:
    from tests._core.cluster_worker import SimWorker


@attrs.define(eq=False)
class SimFuture:
    """The children of one batch, as `triort._node.futures.Future` sees them."""

    worker: SimWorker
    owner: Running
    open: dict[int, Child] = attrs.Factory(dict)
    scripts: list[Script] = attrs.Factory(list)
    total: int = 0
    failed: bool = False
    cancelled: bool = False
    waited: bool = False

    def settle(self, child: Child, result: Result) -> None:
        del self.open[child.index]
        value = int(result.payload or b"0")
        monitor = self.worker.cluster.monitor
        monitor.settled(self.scripts[child.index], result.kind, value, doomed=self.owner.cancelled)
        if result.kind == VALUE:
            self.total += value
        elif not self.failed:
            self.failed = True
            if not self.cancelled:
                self.cancel_open()
        if not self.open and self.waited:
            self.waited = False
            self.worker.wake(self.owner)

    def cancel_open(self) -> None:
        for child in list(self.open.values()):
            self.worker.core.cancel_child(child)
