"""Links between the nodes of tier 1: first in, first out, each frame with its own delay; and all that can befall them.

A link has two ends (`Pipe`), each the opaque ``conn`` of the core that has it. Frames carry the messages themselves.
What lies below is a connection (`Raw`). A worker's link is one connection and ends with it; between managers and
servers, and between clients and the server, a *session* goes on over one connection after the other (`sessions`).
"""

from __future__ import annotations

from collections.abc import Sequence

from triort._core.links import Send
from triort.testing._events import FRAMES_SPAN, Event, Kind, names_of
from triort.testing._plan.draws import Draws
from triort.testing._run import Trace
from triort.testing._tier1.heap import Heap
from triort.testing._tier1.pipes import END, Frame, Node, Path, Pipe, Raw, Way

LEARN_S = 1e-3
"""A broken connection is noticed after so much time at most."""


class Wires:
    """All links of one run."""

    def __init__(self, heap: Heap, draws: Draws, trace: Trace) -> None:
        self.heap = heap
        self.draws = draws
        self.trace = trace
        self.paths: dict[str, Path] = {}
        self.pipes: list[Pipe] = []
        """The ends of all links that there were."""
        self._breaks = 0

    @property
    def num_held(self) -> int:
        """How many frames are held back."""
        return sum(len(way.held or ()) for path in self.paths.values() for way in (path.up, path.down))

    def path(self, name: str, latency: str) -> Path:
        """The path called so."""
        found = self.paths.get(name)
        if found is None:
            found = self.paths[name] = Path(name, latency)
        return found

    def connect(self, path: Path, upper: Node, lower: Node, *, is_client: bool = False) -> tuple[Pipe, Pipe]:
        """The ends of a new link, with a connection: the upper node's, and the lower one's."""
        above, below = Pipe(upper, path, True, is_client), Pipe(lower, path, False, is_client)
        above.far, below.far = below, above
        above.raw = below.raw = path.connection()
        self.pipes += [above, below]
        self.trace.tell(Event(self.heap.now, Kind.OPEN, lower.name, peer=upper.name, number=above.raw.serial))
        return above, below

    def cut_all(self) -> None:
        """The run is over: no end of a link leads to its node any more. Tasks in the books know their links, and the
        garbage collector does not look into tasks; so all of the cluster would stay."""
        for pipe in self.pipes:
            del pipe.owner, pipe.session

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
                pipe.messages += len(frame)
                self.trace.num_messages += len(frame)
                if pipe.session is not None:
                    pipe.session.send(frame)
                elif pipe.raw is not None:
                    self.launch(pipe, frame, pipe.raw)

    def launch(self, pipe: Pipe, frame: Frame, raw: Raw, serial: int = 0, *, is_beat: bool = False) -> None:
        """Send a frame over this connection. ``serial``: its number in the session; 0: it is the session's own."""
        way, trace = pipe.way, self.trace
        if way.raw != raw.serial:
            way.raw, way.number = raw.serial, raw.serial * FRAMES_SPAN
        way.number += 1
        number = way.number
        if trace.frames and frame and (serial or pipe.session is None):
            names = pipe.owner.name, names_of(frame), pipe.far.owner.name
            trace.tell(Event(self.heap.now, Kind.SEND, *names, number))
        if raw.is_lost:
            return
        delay_s = self.draws.latency(raw.path.latency, raw.path.name, way.name, number)
        way.last_s = max(way.last_s, self.heap.now + delay_s)
        enter = self.heap.idle_at_time if is_beat else self.heap.at_time
        enter(way.last_s, self._deliver, pipe.far, frame, number, raw, serial)

    def _deliver(self, pipe: Pipe, frame: Frame, number: int, raw: Raw, serial: int) -> None:
        if raw.is_lost or (pipe.ended and pipe.session is None):
            return
        way = pipe.far.way
        if way.held is not None:
            way.held.append((pipe, frame, number, raw, serial))
            return
        if way.corrupt:
            way.corrupt = False
            if pipe.raw is raw and pipe.session is not None:
                pipe.session.fail("a frame could not be read")
            else:
                self.break_off(pipe, raw, "a frame could not be read")
            return
        if pipe.session is not None:
            if not pipe.session.take(frame, raw, serial):
                return
        elif pipe.raw is not raw:
            return
        if self.trace.frames and frame:
            names = pipe.owner.name, names_of(frame), pipe.far.owner.name
            self.trace.tell(Event(self.heap.now, Kind.DELIVER, *names, number))
        pipe.owner.arrive(pipe, frame)

    # -- ends ----------------------------------------------------------------------------------------------------

    def end(self, pipe: Pipe, how: str) -> None:
        """The owner learns that its link has ended for good."""
        if not pipe.ended:
            pipe.ended, pipe.raw = True, None
            self.trace.tell(Event(self.heap.now, Kind.CLOSE, pipe.owner.name, peer=pipe.far.owner.name, detail=how))
            pipe.owner.link_ended(pipe, how)

    def closed(self, pipe: Pipe) -> None:
        """The owner has ended its link."""
        if not pipe.ended:
            peer = pipe.far.owner.name
            self.trace.tell(Event(self.heap.now, Kind.CLOSE, pipe.owner.name, peer=peer, detail="closed here"))
        pipe.ended = True

    def close(self, pipe: Pipe) -> None:
        """The owner ends its link in order: what it has sent still arrives, and then the end."""
        if pipe.session is not None:
            pipe.session.close()
            return
        self.closed(pipe)
        self.hang_up(pipe)

    def hang_up(self, pipe: Pipe) -> None:
        """This side closes its connection in order."""
        raw, pipe.raw = pipe.raw, None
        if raw is not None and (pipe.far.raw is raw or _is_dialling(pipe.far, raw)):
            self.launch(pipe, END, raw)

    def drop(self, pipe: Pipe) -> None:
        """The owner is gone without a word."""
        pipe.ended = True
        if pipe.session is not None:
            pipe.session.forget()
        self.break_far(pipe)

    def break_far(self, pipe: Pipe) -> None:
        """The other side sees the connection break, after all that was sent or before."""
        raw, pipe.raw = pipe.raw, None
        self._breaks += 1
        if raw is not None and not (raw.is_lost or pipe.far.ended):
            if self.draws.chance(0.5, "tail", pipe.path.name, self._breaks):
                self.launch(pipe, END, raw)
            else:
                self._learn(pipe.far, raw, "broken")

    def break_off(self, pipe: Pipe, raw: Raw, how: str) -> None:
        """This end cannot go on with its connection, and closes it."""
        if pipe.raw is raw:
            if not pipe.far.ended and (pipe.far.raw is raw or _is_dialling(pipe.far, raw)):
                self.launch(pipe, END, raw)
            self._broken(pipe, raw, how)

    def cut(self, pipe: Pipe, *, pipe_learns: bool = True, far_learns: bool = True) -> None:
        """What is on its way is lost; those who can see the connection break do so a little later."""
        raw = pipe.raw
        if raw is not None:
            raw.is_lost = True
            if pipe_learns:
                self._learn(pipe, raw, "broken")
            if far_learns:
                self._learn(pipe.far, raw, "broken")

    def _learn(self, pipe: Pipe, raw: Raw, how: str) -> None:
        self._breaks += 1
        delay_s = self.draws.uniform(0.0, LEARN_S, "learn", pipe.path.name, pipe.way.name, self._breaks)
        self.heap.at(delay_s, self._broken, pipe, raw, how)

    def _broken(self, pipe: Pipe, raw: Raw, how: str) -> None:
        raw.is_lost = raw.is_lost or _is_dialling(pipe, raw)  # no answer comes over it any more
        if pipe.raw is not raw or pipe.ended:
            return
        if pipe.session is not None:
            pipe.session.broken(raw, how)
        else:
            self.end(pipe, how)

    # -- stops ---------------------------------------------------------------------------------------------------

    def hold(self, way: Way, for_s: float) -> None:
        """Nothing gets through this way for so long (0: until `release`); then all does, in order."""
        if way.held is None:
            way.held = []
            if for_s:
                self.heap.at(for_s, self.release, way)

    def release(self, way: Way) -> None:
        """What was held back gets through."""
        held, way.held = way.held or [], None
        for pipe, frame, number, raw, serial in held:
            self._deliver(pipe, frame, number, raw, serial)


def _is_dialling(pipe: Pipe, raw: Raw) -> bool:
    """Whether this end waits for the answer over this connection."""
    return pipe.session is not None and pipe.session.dialled is raw
