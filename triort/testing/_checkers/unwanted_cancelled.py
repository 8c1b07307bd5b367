"""What nobody wants any more is cancelled: children of a task that is over, jobs without a client.

And who is cancelled knows it: a task that runs, and its entry in the tables, say the same.
"""

from __future__ import annotations

from triort._core.server_core import ServerCore
from triort._core.worker_core import WorkerCore
from triort._model.ids import show_address
from triort.testing._run import Checker


class UnwantedCancelled(Checker):
    """Holds at any time, in the books of the server and of workers."""

    name = "unwanted_cancelled"

    def look(self) -> None:
        """Go through what is open."""
        for name, core in self.world.nodes.items():
            if isinstance(core, ServerCore):
                for job in core.jobs.jobs.values():
                    if (job.timed_out or job.dropped) and not job.cancelled:
                        self.fail(f"{name}: job {job.id} is out of time or without a client, and not cancelled")
        for name, worker in self.world.workers.items():
            self._worker(name, worker)

    def _worker(self, name: str, core: WorkerCore) -> None:
        for address, child in core.children.items():
            if child.parent.result is not None and not child.cancelled:
                self.fail(f"{name}: child {show_address(address)} is not cancelled, and its parent's function is over")
            if child.timed_out and not child.cancelled:
                self.fail(f"{name}: child {show_address(address)} is not cancelled, and it is out of time")
        for address, running in core.running.items():
            if running.cancelled != running.attempt.cancelled:
                self.fail(
                    f"{name}: {show_address(address)} is cancelled in the table and not as it runs, or the reverse"
                )
