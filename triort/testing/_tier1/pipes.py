"""What links of tier 1 are made of: paths, the connections on them, and the ends that nodes hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs

from triort._model.messages import Message
from triort.testing._tier1.clocks import Clock

Frame = list[tuple[Message, Sequence[bytes]]]
END: Frame = []
"""The last frame of a connection that is closed in order."""
CLOSED = "closed"
"""How a link has ended that its other side has ended in order."""


class Node(Protocol):
    """What has ends of links."""

    name: str
    dead: bool
    clock: Clock

    def arrive(self, pipe: Pipe, frame: Frame) -> None:
        """A frame has come; an empty one is the end of an orderly close."""

    def link_ended(self, pipe: Pipe, how: str) -> None:
        """The link has ended for good, as far as this end can know."""

    def link_stalled(self, pipe: Pipe, *, is_stalled: bool) -> None:
        """The link goes on and has no connection, or has one again."""


class Session(Protocol):
    """What makes one end of a link outlive its connection."""

    dialled: Raw | None
    """The connection over which it waits for an answer."""

    def send(self, frame: Frame) -> None:
        """Send a frame, now or when there is a connection again."""

    def take(self, frame: Frame, raw: Raw, serial: int) -> bool:
        """Whether this frame, which a connection has brought, is for the owner, and not for the session itself."""

    def broken(self, raw: Raw, how: str) -> None:
        """This end learns that its connection has ended."""

    def fail(self, how: str) -> None:
        """The peer has sent what it must not: the link ends, and the peer is told, if it can be."""

    def close(self) -> None:
        """The owner ends the link in order."""

    def forget(self) -> None:
        """It is over."""


@attrs.define(eq=False)
class Way:
    """One direction of a path."""

    name: str
    raw: int = 0
    number: int = 0
    """Of the last frame that was sent, over which connection."""
    last_s: float = 0.0
    """When that is there."""
    held: list[tuple[Pipe, Frame, int, Raw, int]] | None = None
    """What has arrived and cannot get through yet."""
    corrupt: bool = False
    """The next frame cannot be read."""


@attrs.define(eq=False)
class Path:
    """What lies between two places, whatever is connected there; called by the lower one."""

    name: str
    latency: str
    up: Way = attrs.field(factory=lambda: Way("up"))
    down: Way = attrs.field(factory=lambda: Way("down"))
    num_raws: int = 0
    parted_until: float = 0.0
    """Until then nothing gets through, and nobody can connect."""

    @property
    def is_held(self) -> bool:
        """Whether something is held back, one way or both."""
        return self.up.held is not None or self.down.held is not None

    def connection(self) -> Raw:
        """Another connection."""
        self.num_raws += 1
        return Raw(self, self.num_raws - 1)


@attrs.define(eq=False)
class Raw:
    """One connection."""

    path: Path
    serial: int
    """Among all connections of its path."""
    is_lost: bool = False
    """What is on its way, and all that is sent from now on, goes nowhere."""


@attrs.define(eq=False)
class Pipe:
    """One end of a link."""

    owner: Node
    path: Path
    is_upper: bool
    is_client: bool = False
    far: Pipe = attrs.field(init=False, repr=False)
    raw: Raw | None = None
    """The connection, as far as this end knows."""
    session: Session | None = None
    messages: int = 0
    ended: bool = False
    """The owner knows of the end, or is gone: nothing goes in or out."""

    @property
    def way(self) -> Way:
        """Where frames from here go."""
        return self.path.down if self.is_upper else self.path.up
