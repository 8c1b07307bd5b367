"""Links between the nodes of tier 1: first in, first out, each frame with its own delay; and all that can befall them.

A wire has two ends (`Pipe`), each the opaque ``conn`` of the core that has it. Frames carry the messages themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs

from triort._core.links import Send
from triort._model.messages import Message
from triort.testing._events import Event, Kind, names_of
from triort.testing._plan.draws import Draws
from triort.testing._run import Trace
from triort.testing._tier1.heap import Heap

Frame = list[tuple[Message, Sequence[bytes]]]
END: Frame = []
"""The last frame of a wire that is closed in order."""
LEARN_S = 1e-3
"""A broken link is noticed after so much time at most."""


class Node(Protocol):
    """What has ends of wires."""

    name: str

    def arrive(self, pipe: Pipe, frame: Frame) -> None:
        """A frame has come; an empty one is the end of an orderly close."""

    def link_ended(self, pipe: Pipe, how: str) -> None:
        """The link has ended, as far as this end can know."""


@attrs.define(eq=False)
class Wire:
    """One link, called by its lower end."""

    name: str
    latency: str
    is_client: bool = False


@attrs.define(eq=False)
class Pipe:
    """One end of a wire."""

    owner: Node
    wire: Wire
    direction: str
    """Where frames from here go: up or down."""
    far: Pipe = attrs.field(init=False, repr=False)
    last_s: float = 0.0
    """When the last frame from here is there."""
    frames: int = 0
    messages: int = 0
    ended: bool = False
    """The owner knows of the end, or is gone: nothing goes in or out."""
    deaf: bool = False
    """What was sent to here is lost."""
    held: list[tuple[Frame, int]] | None = None
    """What has arrived here and cannot get through yet."""
    corrupt: bool = False
    """The next frame to here cannot be read."""


class Wires:
    """All wires of one run."""

    def __init__(self, heap: Heap, draws: Draws, trace: Trace) -> None:
        self._heap = heap
        self._draws = draws
        self._trace = trace
        self._breaks = 0
        self.num_held = 0

    def connect(self, wire: Wire, upper: Node, lower: Node) -> tuple[Pipe, Pipe]:
        """The ends of a new link: the upper node's, and the lower one's."""
        above, below = Pipe(upper, wire, "down"), Pipe(lower, wire, "up")
        above.far, below.far = below, above
        self._trace.tell(Event(self._heap.now, Kind.OPEN, lower.name, peer=upper.name))
        return above, below

    def send(self, sends: Sequence[Send]) -> None:
        """Send what a core has left in its outbox: one frame for each link."""
        frames: dict[Pipe, Frame] = {}
        for conn, message, parts in sends:
            assert isinstance(conn, Pipe)
            frame = frames.get(conn)
            if frame is None:
                frame = frames[conn] = []
            frame.append((message, parts))
        for pipe, frame in frames.items():
            if not pipe.ended:
                self._send(pipe, frame)

    def _send(self, pipe: Pipe, frame: Frame) -> None:
        pipe.frames += 1
        pipe.messages += len(frame)
        trace = self._trace
        trace.num_messages += len(frame)
        number = pipe.frames
        if trace.frames:
            what = names_of(frame)
            trace.tell(Event(self._heap.now, Kind.SEND, pipe.owner.name, what, pipe.far.owner.name, number))
        if not pipe.far.deaf:
            self._launch(pipe, frame, number)

    def _launch(self, pipe: Pipe, frame: Frame, number: int) -> None:
        wire = pipe.wire
        delay_s = self._draws.latency(wire.latency, wire.name, pipe.direction, number)
        pipe.last_s = max(pipe.last_s, self._heap.now + delay_s)
        self._heap.at_time(pipe.last_s, self._deliver, pipe.far, frame, number)

    def _deliver(self, pipe: Pipe, frame: Frame, number: int) -> None:
        if pipe.ended or pipe.deaf:
            return
        if pipe.held is not None:
            pipe.held.append((frame, number))
            self.num_held += 1
            return
        owner = pipe.owner
        if pipe.corrupt:
            pipe.corrupt = False
            self.end(pipe, "a frame could not be read")
            self.close(pipe, tell=False)
            return
        if self._trace.frames and frame:
            self._trace.tell(
                Event(self._heap.now, Kind.DELIVER, owner.name, names_of(frame), pipe.far.owner.name, number)
            )
        owner.arrive(pipe, frame)

    def end(self, pipe: Pipe, how: str) -> None:
        """The owner learns that its link has ended."""
        if not pipe.ended:
            pipe.ended = True
            self._trace.tell(Event(self._heap.now, Kind.CLOSE, pipe.owner.name, peer=pipe.far.owner.name, detail=how))
            pipe.owner.link_ended(pipe, how)

    # -- ends ----------------------------------------------------------------------------------------------------

    def close(self, pipe: Pipe, *, tell: bool = True) -> None:
        """The owner closes its end in order: what it has sent still arrives, and then the end."""
        if tell and not pipe.ended:
            self._trace.tell(
                Event(self._heap.now, Kind.CLOSE, pipe.owner.name, peer=pipe.far.owner.name, detail="closed here")
            )
        pipe.ended = True
        if not (pipe.far.ended or pipe.far.deaf):
            self._launch(pipe, END, pipe.frames + 1)

    def drop(self, pipe: Pipe) -> None:
        """The owner is gone without a word: the other side sees the link break, after all that was sent or before."""
        pipe.ended = True
        self._breaks += 1
        if not (pipe.far.ended or pipe.far.deaf):
            if self._draws.chance(0.5, "tail", pipe.wire.name, self._breaks):
                self._launch(pipe, END, pipe.frames + 1)
            else:
                self._learn(pipe.far, "broken")

    def cut(self, pipe: Pipe, *, pipe_learns: bool = True, far_learns: bool = True) -> None:
        """What is on its way is lost; those who can see the link break do so a little later."""
        pipe.deaf = pipe.far.deaf = True
        if pipe_learns:
            self._learn(pipe, "broken")
        if far_learns:
            self._learn(pipe.far, "broken")

    def _learn(self, pipe: Pipe, how: str) -> None:
        self._breaks += 1
        delay_s = self._draws.uniform(0.0, LEARN_S, "learn", pipe.wire.name, pipe.direction, self._breaks)
        self._heap.at(delay_s, self.end, pipe, how)

    # -- stops ---------------------------------------------------------------------------------------------------

    def hold(self, pipe: Pipe, for_s: float) -> None:
        """Nothing gets through to this end for so long (0: until `release`); then all does, in order."""
        if pipe.held is None:
            pipe.held = []
            if for_s:
                self._heap.at(for_s, self.release, pipe)

    def release(self, pipe: Pipe) -> None:
        """What was held back gets through."""
        held, pipe.held = pipe.held or [], None
        self.num_held -= len(held)
        for frame, number in held:
            self._deliver(pipe, frame, number)
