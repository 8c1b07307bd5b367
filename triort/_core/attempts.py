"""What a node knows of one task: an attempt while it is open, a result when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from triort._model.ids import Address
from triort._model.messages import TaskSpec

if TYPE_CHECKING:
    from triort._core.links import Link


class Attempt(msgspec.Struct, eq=False, gc=False):
    """One placement of one task, as one node sees it.

    ``origin`` is the link that it came over (None: this node owns it) and ``target`` the link that it was given to
    (None: it waits in this node's backlog). The same object stands in ``origin.received`` and in ``target.sent``:
    a task may pass through a node twice, once on its way up and once down, as two attempts with one address.
    """

    address: Address
    spec: TaskSpec
    payload: bytes | None
    origin: Link | None = None
    target: Link | None = None
    deadline: float | None = None
    index: int = 0
    parent: Address = Address(0)
    """Of what was offered from below: its nearest ancestor among the tasks sent over ``origin``."""
    above: Address = Address(0)
    """Of what may go up: its nearest ancestor among the tasks that the boss has given."""
    batch: int = 0
    cost_us: int = 0
    queued: bool = False
    cancelled: bool = False
    talk: list[bytes] | None = None
    """What its parent has said to it so far, as far as this node has heard."""
    alone: bool = False
    """A suspect: a former attempt was on the CPU of a worker when that died. See `suspects`."""
    beside: int = 0
    """How many former attempts were lost because one below them was to blame for the end of their worker."""
    aside: bool = False
    """It waits apart from the others in the backlog."""

    def keep_talk(self, payload: bytes) -> None:
        """Note a message of the parent."""
        if self.talk is None:
            self.talk = [payload]
        else:
            self.talk.append(payload)


class Result(msgspec.Struct, eq=False, gc=False):
    """How an attempt has ended; ``payload`` is opaque here."""

    address: Address
    kind: int
    duration_us: int
    payload: bytes
