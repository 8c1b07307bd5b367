"""What a node has told its boss: idle workers, and tasks.

The boss subtracts from the idle count each task that it sends, so a count is news only where it differs from that. Of
results it subtracts those that crossed the count on their way (`NodeCore.handle_waiting`); so after results the count
is told again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from triort._core.demand import answers_due, is_news, spare_tasks
from triort._core.links import Link, Send
from triort._model.messages import Started, Update, Waiting

if TYPE_CHECKING:
    from triort._core.node_core import NodeCore

LOOKS = 64
"""While the node is busy its tasks are counted once in so many flushes."""


@attrs.define(eq=False)
class Upstream:
    """The boss's view of this node, as this node believes it to be."""

    idle: tuple[int, int] | None = None
    """Idle workers, of how many; None until `Started` has gone, which says that all are idle."""
    tasks: int = 0
    spare: int = 0
    asked: int = 0
    """How many tasks the boss wants back that were not here: those that come back from below go on to it, and are not
    placed below again, or they would go to and fro for as long as the boss has idle workers elsewhere."""
    owes_answer: bool = False
    """The boss has asked for tasks back. It hears how many there still are when it has them, or when all below have
    answered that were asked in turn, and asks nothing more until then."""
    _looks: int = 0

    def heard(self, num_tasks: int, num_results: int) -> None:
        """So many tasks or results have come from the boss."""
        if self.idle is not None and self.idle[0] > 0:
            idle, workers = self.idle
            self.idle = (max(idle - num_tasks, 0) if not num_results else -1, workers)

    def tell_idle(self, boss: Link, idle: int, workers: int, outbox: list[Send]) -> None:
        """Tell how many workers are idle, if that is news. Nothing goes before `Started`."""
        if self.idle is None:
            if not any(isinstance(send.message, Started) for send in outbox):
                return
            self.idle = (workers, workers)
        if self.idle[0] != idle or self.idle[1] != workers:
            self.idle = (idle, workers)
            outbox.append(Send(boss.conn, Waiting(idle, boss.batch_read, workers), ()))

    def tell_tasks(self, node: NodeCore, boss: Link, *, all_idle: bool) -> None:
        """Tell how many tasks of its own the subtree has, roughly while it is busy; and how many of those it was given
        have no place, at once when work for idle workers elsewhere has turned up. That there are fewer has time: a boss
        that asks for more than there are hears it in the answer."""
        if self.idle is None:
            return
        is_answer = self.owes_answer and not (self.asked and answers_due(node))
        spare, told = spare_tasks(node), self.spare
        is_more = spare > 0 and spare >= 2 * told
        is_less = told > 0 and spare <= told // 2 and self.owes_answer == is_answer
        self._looks += 1
        if is_more or all_idle or is_answer or (node.outbox and self._looks >= LOOKS):
            self._looks = 0
            below = sum(employee.num_tasks for employee in node.employees)
            tasks = below + node.backlog.num_waiting - len(boss.received)
            is_due = is_more or is_less or is_answer
            if is_due or is_news(abs(tasks - self.tasks), self.tasks, exact=all_idle):
                node.outbox.append(Send(boss.conn, Update(tasks - self.tasks, spare, is_answer), ()))
                self.tasks, self.spare = tasks, spare
                self.owes_answer = self.owes_answer and not is_answer
