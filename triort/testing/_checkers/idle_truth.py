"""At rest every node knows how many workers are idle below it, and how many there are: all that live.

At any time a manager has told its boss all that it knows of them itself.
"""

from __future__ import annotations

from triort._core.employee import Employee
from triort._core.node_core import NodeCore
from triort.testing._checkers.books import other_end
from triort.testing._run import Checker


class IdleTruth(Checker):
    """Holds at rest."""

    name = "idle_truth"

    def look(self) -> None:
        """Compare what each node has told with what it knows."""
        for name, core in self.world.nodes.items():
            told = core.upstream.idle
            if core.boss is not None and told != (core.num_idle_workers, core.total_workers):
                self.fail(f"{name} has told its boss of {told} workers, and has {core.num_idle_workers} idle ones")

    def at_rest(self) -> None:
        """Compare the counts of each node with what is below it."""
        self.look()
        for name, core in self.world.nodes.items():
            for employee in core.employees:
                self._employee(name, employee)
            if core.upstream.tasks or core.upstream.spare:
                self.fail(f"{name} has told of {core.upstream.tasks} tasks, {core.upstream.spare} without a place")
        for name, worker in self.world.workers.items():
            if worker._told_tasks:
                self.fail(f"{name} has told its boss of {worker._told_tasks} tasks of its own, and has none")

    def _employee(self, name: str, employee: Employee) -> None:
        peer = other_end(self.world, employee)
        if peer is None:
            self.fail(f"{name} has {employee.name} in its books, which is gone")
        truth = peer.total_workers if isinstance(peer, NodeCore) else 1
        if employee.num_workers != truth or employee.num_idle_workers != truth:
            text = f"{employee.num_idle_workers} of {employee.num_workers} workers idle, and {truth} are there"
            self.fail(f"{name} believes {employee.name} to have {text}")
        if employee.num_tasks or employee.backlog:
            text = f"{employee.num_tasks} tasks, {employee.backlog} without a place"
            self.fail(f"{name} believes {employee.name} to have {text}, and nothing is open")
