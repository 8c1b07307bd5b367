"""What a node knows of one of its employees, a manager or a worker."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from triort._core.links import Link
from triort._model.ids import Address, owner_of
from triort._model.limits import OFFERS_MIN


@attrs.define(eq=False)
class Employee:
    """A manager or worker below: its link, its share of the ids, and what it is known to be doing."""

    link: Link
    name: str
    kind: str
    lower_id: int
    upper_id: int
    pid: int = 0
    num_workers: int = 0
    num_idle_workers: int = 0
    num_own_tasks: int = 0
    """Tasks below that were submitted there and have not left it, by its own account."""
    backlog: int = 0
    """Given tasks that have found no place below, by its own account."""
    recalled: int = 0
    """How many of these it was asked for and has not answered for."""
    recalled_at: float = 0.0
    wanted: int = 0
    """How many new tasks it may still offer; negative: what it has offered beyond that counts in its next window."""
    granted: int = 0
    """The same when its window was renewed."""
    offer_window: int = OFFERS_MIN
    granted_at: float = 0.0
    stuck_until: float = 0.0
    """Until when it gets nothing beyond its idle workers, for it is on a long task."""
    running: str = ""
    memory_bytes: int = 0
    """What the worker's process had in memory when it was last looked at."""
    is_extra: bool = False
    """A worker for one suspect, in no count of workers; see `suspects`."""
    waits: bool = False
    """By the last word of the worker, all that it has waits for others."""
    is_stalled: bool = False
    """Whether its link has no connection at present: it gets nothing, and has no idle workers for all that is known."""
    idle_before: int = 0
    """How many it had when the connection broke."""
    done: int = 0
    mark: tuple[float, int] = (0.0, 0)
    """When its rate was last asked for, and how many tasks it had done by then."""
    endpoint: tuple[str, int] | None = None
    """Where it listens, if this node has dialled it and does so again when it is lost."""
    draining: bool = False
    """Whether it is to leave: it gets no more tasks, counts in no capacity, and nobody takes its place."""
    tasks_left: int | None = None
    """How many more tasks the worker may be given before it is replaced; None: any number."""

    @property
    def num_tasks(self) -> int:
        """Open tasks below it."""
        return len(self.link.sent) + self.num_own_tasks

    @property
    def conn(self) -> object:
        """The opaque link value."""
        return self.link.conn

    def owns(self, addresses: Sequence[Address]) -> bool:
        """Whether the tasks were submitted by it, or below it. Nobody offers others: it would be under the address of a
        task that others have, and an answer to the one would be taken for the other's."""
        if not addresses:
            return True
        return self.lower_id <= owner_of(min(addresses)) and owner_of(max(addresses)) < self.upper_id

    def set_idle(self, count: int) -> None:
        """So many of its workers are idle; while its link has no connection, that is for later."""
        if self.is_stalled:
            self.idle_before = count
        else:
            self.num_idle_workers = count

    def rest(self) -> None:
        """All tasks of this worker have ended, so it is idle, and has read all results of those below them."""
        self.link.has_read_results()
        self.waits = True
        self.stuck_until = 0.0
        self.set_idle(self.num_workers)

    def stall(self) -> None:
        """Its link has lost the connection."""
        if not self.is_stalled:
            self.is_stalled = True
            self.idle_before, self.num_idle_workers = self.num_idle_workers, 0

    def recover(self) -> None:
        """Its link has a connection again. Nothing was given to it meanwhile."""
        if self.is_stalled:
            self.is_stalled = False
            self.num_idle_workers, self.idle_before = self.idle_before, 0

    @property
    def is_poor(self) -> bool:
        """Whether it has offered nothing of the window that it has: it has only what it was given."""
        return 0 < self.granted == self.wanted


def distinct_name(name: str, others: Sequence[Employee]) -> str:
    """The name, with a number behind it if one of the others has it: there may be an ``m7473`` on each host."""
    taken = {other.name for other in others}
    number, distinct = 1, name
    while distinct in taken:
        number += 1
        distinct = f"{name}-{number}"
    return distinct
