"""What all nodes of tier 1 have in common: a name, a clock, and mail that may have to wait until it is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING

from triort.testing._events import Event, Kind
from triort.testing._tier1.clocks import Clock
from triort.testing._tier1.pipes import Frame, Pipe

if TYPE_CHECKING:
    from triort.testing._tier1.cluster import Cluster

HANDLE_S = 2e-5
"""What a message costs a slow node, times its factor; a node that is not slow takes no time."""


class Node(ABC):
    """One process of the cluster, or one client."""

    reads_slowly = True
    """Whether being slow shows in how fast it reads."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.clock = Clock(cluster.heap)
        self.dead = False
        self.factor = 1.0
        self._unread: deque[tuple[Pipe, Frame]] = deque()
        self._blocked_until = 0.0
        self._is_waiting = False

    @property
    def num_unread(self) -> int:
        """Frames that have come and are not yet read."""
        return len(self._unread)

    @abstractmethod
    def on_mail(self, pipe: Pipe, frame: Frame) -> None:
        """Read a frame."""

    @abstractmethod
    def link_ended(self, pipe: Pipe, how: str) -> None:
        """A link has ended, as this node knows now."""

    def link_stalled(self, pipe: Pipe, *, is_stalled: bool) -> None:  # noqa: B027
        """A link has no connection for a while, or has one again."""

    @abstractmethod
    def tick(self) -> None:
        """The node's clock has been changed: its timers have to be set anew."""

    def arrive(self, pipe: Pipe, frame: Frame) -> None:
        """A frame has come; it is read now unless the node is slow."""
        if self._unread or self._blocked_until > self.cluster.heap.now or (self.factor > 1 and self.reads_slowly):
            self._unread.append((pipe, frame))
            self._read_later()
        else:
            self._read(pipe, frame)

    def block(self, for_s: float) -> None:
        """Read nothing for so long."""
        self._blocked_until = max(self._blocked_until, self.cluster.heap.now + for_s)

    def slow_down(self, factor: float, for_s: float) -> None:
        """Take so many times as long for everything, for so long."""
        self.factor = max(factor, 1.0)
        if for_s:
            self.cluster.heap.at(for_s, self._speed_up)

    def _speed_up(self) -> None:
        self.factor = 1.0

    def recover(self) -> None:
        """What is wrong with it and lasts is over."""
        self.factor = 1.0
        if self.clock.rate != 1.0:
            self.clock.drift(1.0)
            self.tick()

    def _read_later(self) -> None:
        if not self._is_waiting and self._unread:
            self._is_waiting = True
            cost_s = HANDLE_S * self.factor * len(self._unread[0][1]) if self.reads_slowly and self.factor > 1 else 0.0
            self.cluster.heap.at_time(max(self._blocked_until, self.cluster.heap.now + cost_s), self._read_next)

    def _read_next(self) -> None:
        self._is_waiting = False
        if self.dead:
            self._unread.clear()
            return
        if self._blocked_until <= self.cluster.heap.now:
            pipe, frame = self._unread.popleft()
            if not pipe.ended:
                self._read(pipe, frame)
        self._read_later()

    def _read(self, pipe: Pipe, frame: Frame) -> None:
        if frame:
            self.on_mail(pipe, frame)
        else:
            self.cluster.wires.end(pipe, "closed")

    def tell(self, kind: Kind, what: str = "", peer: str = "", number: int = 0, detail: str = "") -> None:
        """Something has happened here."""
        self.cluster.trace.tell(Event(self.cluster.heap.now, kind, self.name, what, peer, number, detail))
