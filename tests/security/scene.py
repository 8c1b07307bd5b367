"""What sequences of bad messages are played on: a core with one bad neighbour, and perhaps honest ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import attrs

from tests.security.messages import Maker
from triort._core.links import Send
from triort._core.node_core import Direction, NodeCore
from triort._model import messages as m
from triort._model.roles import Place
from triort._wire.frames import FrameParser, encode

BAD = "bad"


class Wrong(Exception):
    """Something that must not be."""


def over_the_wire(received: m.Received) -> m.Received:
    """The message as a parser hands it out, which takes it: what a core sends may cost nobody the link."""
    (found,) = FrameParser().feed(b"".join(encode([received])))
    return found


@attrs.define
class Scene:
    """A core with honest neighbours and one bad one; subclassed by place."""

    draw: random.Random
    place: Place
    core: Any
    maker: Maker
    is_over: bool = False

    def hostile(self, message: m.Message, parts: Sequence[bytes]) -> None:
        """The bad peer sends this."""
        direction = {Place.CLIENT: Direction.CLIENT, Place.BOSS: Direction.ABOVE}.get(self.place, Direction.BELOW)
        self.core.handle_message(message, direction, BAD, parts)

    def end(self, reason: str) -> None:
        """The bad peer's link has ended."""
        self.core.handle_disconnect(BAD, reason=reason)

    def flush(self) -> list[Send]:
        """What the core sends; the bad peer hears its share."""
        sends: list[Send] = self.core.flush()
        for send in sends:
            over_the_wire((send.message, list(send.parts)))
            if send.conn == BAD:
                self.maker.hear(send.message)
        return sends

    def check_honest(self) -> None:
        """The honest neighbours' work goes through."""

    def close(self) -> None:
        """Let go of tasks that are still open, as a node does that ends: the garbage collector does not see them."""
        if isinstance(self.core, NodeCore):
            self.core.renew()
