"""Sessions of tier 1: links that outlive their connections, as `triort._node.sessions` has them.

Each end numbers what it sends and keeps it until the other one has said that it has come. When a connection ends, or
nothing has come over it for long, the dialler makes another one, both tell how much they have got, and the rest is sent
again. What ends a session for good, and when, is decided by the product's `Pulse`.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import attrs

from triort._core.pulse import PATIENCE_S, Act, Pulse, Role
from triort._model.limits import REDIAL_S
from triort._model.messages import PROTOCOL_VERSION, Beat, Bye, Hello, Refuse, Welcome
from triort.testing._events import Event, Kind, Violation
from triort.testing._tier1.pipes import CLOSED, Frame, Pipe, Raw

if TYPE_CHECKING:
    from triort.testing._tier1.cluster import Cluster

ACK_FRAMES = 64
HELLO = PROTOCOL_VERSION, "", "", "", "", ""
WELCOME = PROTOCOL_VERSION, "", "", "", ""


@attrs.define(eq=False)
class End:
    """One end of a session."""

    cluster: Cluster
    pipe: Pipe
    pulse: Pulse
    sent: int = 0
    received: int = 0
    kept: deque[tuple[int, Frame]] = attrs.Factory(deque)
    """What was sent, and has not been acknowledged."""
    is_over: bool = False
    told: int = 0
    """How many frames it has acknowledged."""
    dialled: Raw | None = None
    """The connection over which it waits for an answer."""
    dialled_at: float = 0.0
    attempts: int = 0
    latest: int = 0
    """The number of the dialler's last attempt that has come here."""
    _due: float = math.inf

    @property
    def far(self) -> End:
        """The other end."""
        session = self.pipe.far.session
        assert isinstance(session, End)
        return session

    @property
    def now(self) -> float:
        """The time on its owner's clock."""
        return self.pipe.owner.clock.now

    # -- what is sent and comes ----------------------------------------------------------------------------------

    def send(self, frame: Frame) -> None:
        """Send a frame, now or when there is a connection again."""
        self.sent += 1
        self.kept.append((self.sent, frame))
        if self.pipe.raw is not None:
            self.cluster.wires.launch(self.pipe, frame, self.pipe.raw, self.sent)

    def take(self, frame: Frame, raw: Raw, serial: int) -> bool:
        """Whether this frame is for the owner."""
        message = frame[0][0] if frame and not serial else None
        if self.is_over:
            if isinstance(message, Hello) and not self.pipe.owner.dead:
                self.cluster.wires.launch(self.pipe, [(Refuse("unknown session"), ())], raw)
            return False
        if isinstance(message, Hello):
            self._resume(raw, message)
        elif isinstance(message, Welcome | Refuse):
            self._answered(raw, message)
        elif self.pipe.raw is raw:
            return self._hear(frame, message, raw, serial)
        return False

    def _hear(self, frame: Frame, message: object, raw: Raw, serial: int) -> bool:
        match message:
            case Beat():
                self._acknowledged(message.received)
                self.pulse.heard(self.now, message.number, message.echo)
                self.look()
                return False
            case Bye():
                peer = self.pipe.far.owner.name
                self.end(f"{peer} has ended the link: {message.reason}" if message.reason else CLOSED)
                return False
        self.pulse.heard(self.now)
        if not frame:
            self.broken(raw, "closed by peer")
            return False
        if serial != self.received + 1:
            text = f"{self.pipe.owner.name} gets frame {serial} of {self.pipe.far.owner.name} after {self.received}"
            raise Violation("session_in_order", text, self.cluster.now)
        self.received = serial
        if serial - self.told >= ACK_FRAMES:
            self._tell_received()
        return True

    def _acknowledged(self, received: int) -> None:
        while self.kept and self.kept[0][0] <= received:
            self.kept.popleft()

    def _tell_received(self, number: int = 0, echo: int = 0) -> None:
        self.told = self.received
        if self.pipe.raw is not None:
            beat = Beat(self.received, number, echo)
            self.cluster.wires.launch(self.pipe, [(beat, ())], self.pipe.raw, is_beat=True)

    # -- time ----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Do what is due on the owner's clock, and look again when something else is."""
        if self.is_over or self.pipe.owner.dead:
            return
        for act in self.pulse.decide(self.now):
            match act:
                case Act.BEAT:
                    self._tell_received(*self.pulse.beat(self.now))
                case Act.STALL:
                    self._stall()
                case Act.DIAL:
                    self._dial()
                case Act.END:
                    self.end(f"not heard for {PATIENCE_S[self.pulse.role]:g} s")
        due = self.pulse.next_deadline()
        if due < self._due:
            self._due = due
            delay_s = self.pipe.owner.clock.delay_until(due)
            self.cluster.heap.idle_at_time(self.cluster.now + delay_s, self._look_again, due)

    def _look_again(self, due: float) -> None:
        if due == self._due:
            self._due = math.inf
            self.look()

    def tick(self) -> None:
        """The owner's clock has been changed."""
        self._due = math.inf
        self.look()

    # -- another connection --------------------------------------------------------------------------------------

    def broken(self, raw: Raw, how: str) -> None:
        """This end learns that its connection has ended."""
        self.pipe.raw = None
        self._tell(Kind.BREAK, how)
        self.pulse.broken(self.now)
        self.pipe.owner.link_stalled(self.pipe, is_stalled=True)
        self.look()

    def _stall(self) -> None:
        if self.pipe.raw is not None:
            self._tell(Kind.BREAK, "stalled")
            self.cluster.wires.hang_up(self.pipe)
            self.pipe.owner.link_stalled(self.pipe, is_stalled=True)

    def _tell(self, kind: Kind, detail: str = "") -> None:
        names = self.pipe.owner.name, self.pipe.far.owner.name
        self.cluster.trace.tell(Event(self.cluster.now, kind, names[0], peer=names[1], detail=detail))

    def _dial(self) -> None:
        """Try to make another connection."""
        cluster, path = self.cluster, self.pipe.path
        raw = self.dialled = path.connection()
        self.dialled_at = self.now
        self.attempts += 1
        if path.parted_until > cluster.now:
            raw.is_lost = True
        elif self.pipe.far.owner.dead:
            why = "connection refused" if cluster.process(self.pipe.far.owner.name) is None else "unknown session"
            delay_s = cluster.draws.latency(path.latency, path.name, "dial", self.pipe.way.number, self.attempts)
            cluster.heap.at(delay_s, self._refused, raw, why)
        else:
            hello = Hello(*HELLO, resumes=True, received=self.received, connection=self.attempts)
            cluster.wires.launch(self.pipe, [(hello, ())], raw)
        cluster.heap.idle_at_time(cluster.now + REDIAL_S, self._unanswered, raw)

    def _unanswered(self, raw: Raw) -> None:
        if self.dialled is raw and not self.is_over:
            self.dialled = None
            self.pulse.failed(self.now)
            self.look()

    def _refused(self, raw: Raw, why: str) -> None:
        if self.dialled is raw and not self.is_over and not self.pipe.owner.dead:
            self.end(why)

    def _resume(self, raw: Raw, hello: Hello) -> None:
        """The dialler has come over another connection."""
        if hello.connection <= self.latest:
            return
        self.latest = hello.connection
        if self.pipe.raw is not None:
            self._tell(Kind.BREAK, "replaced")
        self.pulse.broken(self.now)
        self._go_on(raw, hello.received, None)

    def _answered(self, raw: Raw, answer: Welcome | Refuse) -> None:
        if self.dialled is not raw:
            return
        self.dialled = None
        if isinstance(answer, Refuse):
            self.end(answer.reason)
        else:
            self._go_on(raw, answer.received, self.dialled_at)

    def _go_on(self, raw: Raw, received: int, asked_at: float | None) -> None:
        wires = self.cluster.wires
        self.pipe.raw = raw
        self._tell(Kind.RESUME)
        self.pulse.resumed(self.now, asked_at)
        if asked_at is None:
            wires.launch(self.pipe, [(Welcome(*WELCOME, received=self.received), ())], raw)
        self._acknowledged(received)
        for serial, frame in list(self.kept):
            wires.launch(self.pipe, frame, raw, serial)
        self.pipe.owner.link_stalled(self.pipe, is_stalled=False)
        self.look()

    # -- its end -------------------------------------------------------------------------------------------------

    def end(self, how: str) -> None:
        """The session ends, as this end sees it, for good."""
        if not self.is_over:
            self.forget()
            self.cluster.heap.live_at = self.cluster.now
            self.cluster.wires.hang_up(self.pipe)
            self.cluster.wires.end(self.pipe, how)

    def fail(self, how: str) -> None:
        """The peer has sent what it must not: the link ends, and the peer is told, if it can be."""
        self._say_bye(how)
        self.end(how)

    def _say_bye(self, why: str) -> None:
        if self.pipe.raw is not None:
            self.cluster.wires.launch(self.pipe, [(Bye(why), ())], self.pipe.raw)

    def close(self) -> None:
        """The owner ends the link in order: the other side is told, if it can be."""
        if not self.is_over:
            self._say_bye("")
            self.forget()
            self.cluster.wires.closed(self.pipe)
            self.cluster.wires.hang_up(self.pipe)

    def forget(self) -> None:
        """It is over: nothing is kept, and nobody is waited for."""
        self.is_over = True
        self.kept.clear()
        self.dialled = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing will happen to this end on its own but beats."""
        if self.is_over or self.pipe.owner.dead:
            return True
        raw, path = self.pipe.raw, self.pipe.path
        is_whole = raw is not None and self.pipe.far.raw is raw and not raw.is_lost
        return is_whole and not path.is_held and not self.far.is_over


class Sessions:
    """All sessions of one run."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._ends: list[End] = []

    def open(self, above: Pipe, below: Pipe, *, dialler: Pipe) -> None:
        """A session between these two ends, over the connection that they have."""
        roles = (Role.SERVER, Role.CLIENT) if above.is_client else (Role.BOSS, Role.EMPLOYEE)
        ends = [
            End(self._cluster, pipe, Pulse(role, pipe is dialler, pipe.owner.clock.now))
            for pipe, role in zip((above, below), roles, strict=True)
        ]
        self._ends += ends
        above.session, below.session = ends
        for end in reversed(ends):
            end.look()

    def unsettled(self) -> list[str]:
        """The ends that will yet find out what has happened to their connection."""
        self._ends = [end for end in self._ends if not (end.is_over or end.pipe.owner.dead)]
        return [f"{end.pipe.owner.name} to {end.pipe.far.owner.name}" for end in self._ends if not end.is_settled]
