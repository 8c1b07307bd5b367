"""Links between machines: who dials again after a break, who waits, and when each of them gives up.

Each end of a session has a `Keeper`, a task of its node. It does what the `Pulse` decides: it beats, drops a silent
connection, dials again if this end dials, and ends the session when its time is over. A listener has its sessions in a
book (`Sessions`), where those that come back are found by their number.

    dialler                                      listener
      ── Hello(session, resumes, received) ──►   finds the session; drops the old connection, if it has one still
      ◄── Welcome(received) ─────────────────    both send again what the other one has not received

**A break is not an end**, but nobody listening is: a process that has died takes its port with it, so a refused
connection (ECONNREFUSED) tells within milliseconds what silence tells after half a minute. So does a refused resume:
another process listens there now, or the session is over on the other side.

**A connection that comes late.** A dialler that has given up on one attempt makes another; the network may deliver the
first one after the second, when much has been sent already. So attempts have numbers, and the older one is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import attrs
import msgspec
import trio

from triort._core.pulse import PATIENCE_S, Act, Pulse, Role
from triort._model.errors import AccessError, StartupError
from triort._model.limits import REDIAL_S
from triort._model.marks import sometimes
from triort._model.messages import Hello, Received
from triort._node.arrivals import Arrival, Welcomer
from triort._node.handshake import Refused, greet, refuse, welcome
from triort._node.machine import Basis
from triort._transport.connection import Connection, RawConnection
from triort._transport.session import SessionConnection

SESSION_NUMBERS = 1 << 62

Dial = Callable[[], Awaitable[RawConnection]]
"""One attempt to connect; raises `OSError`, and `ConnectionRefusedError` where nobody listens."""
OnBreak = Callable[[SessionConnection, bool], None]
"""Called when a session has lost its connection (True), and when it has one again (False)."""


@attrs.define(eq=False)
class Keeper:
    """Keeps one end of a session."""

    basis: Basis
    conn: SessionConnection
    pulse: Pulse
    dial: Dial | None = None
    hello: Hello | None = None
    """With what this end has introduced itself, if it dials."""
    on_break: OnBreak | None = None
    peer_role: str = ""
    """As what the other end has introduced itself, if that one dials."""
    last_connection: int = 0
    """The number of the last attempt to resume that was made, or has come."""
    _news: trio.Event = attrs.Factory(trio.Event)
    _attempt: trio.CancelScope = attrs.Factory(trio.CancelScope)

    def __attrs_post_init__(self) -> None:
        self.conn.watcher = self

    async def run(self) -> None:
        """Keep the session until it is over. A cancel leaves it to itself; whoever owns it closes it."""
        while not self.conn.is_over:
            self._news = trio.Event()
            for act in self.pulse.decide(self.basis.now()):
                await self._do(act)
            if not self._news.is_set() and not self.conn.is_over:
                due = self.basis.deadline(self.pulse.next_deadline())
                await self.basis.wait_for(self._news, due, idly=not self.pulse.is_broken)

    async def _do(self, act: Act) -> None:
        match act:
            case Act.BEAT:
                self.conn.beat(*self.pulse.beat(self.basis.now()))
            case Act.STALL:
                sometimes("a silent connection is given up")
                self.conn.drop("nothing has come for too long")
            case Act.DIAL:
                await self._redial()
            case Act.END:
                sometimes("a link is over by time")
                patience = PATIENCE_S[self.pulse.role]
                self.conn.end(trio.BrokenResourceError(f"{self.conn.name} has not been heard for {patience:g} s"))

    # -- as the watcher of the session ---------------------------------------------------------------------------

    def note_heard(self, number: int, echo: int) -> None:
        """Something has come."""
        self.pulse.heard(self.basis.now(), number, echo)
        if number:
            self._news.set()  # it wants an answer

    def note_broken(self, reason: str) -> None:
        """There is no connection any more."""
        self.pulse.broken(self.basis.now())
        if self.on_break is not None:
            self.on_break(self.conn, True)
        self._news.set()

    def note_ended(self) -> None:
        """The session is over."""
        self._attempt.cancel()
        self._news.set()

    # -- dialling again ------------------------------------------------------------------------------------------

    async def _redial(self) -> None:
        now = self.basis.now()
        until = min(now + REDIAL_S, self.pulse.next_deadline())
        with trio.CancelScope(deadline=self.basis.deadline(until)) as self._attempt:
            await self._try_once()
        if self.pulse.is_broken:
            self.pulse.failed(self.basis.now())

    async def _try_once(self) -> None:
        assert self.dial is not None
        assert self.hello is not None
        try:
            raw = await self.dial()
        except ConnectionRefusedError:
            self.conn.end(trio.BrokenResourceError(f"{self.conn.name} has gone: nobody listens there any more"))
            return
        except AccessError as exc:
            self.conn.end(trio.BrokenResourceError(f"{self.conn.name} cannot be dialled again: {exc}"))
            return
        except OSError:
            return
        try:
            await self._resume(raw)
        except Refused as exc:
            raw.close()
            if not exc.again:
                self.conn.end(trio.BrokenResourceError(str(exc)))
        except StartupError:
            raw.close()
        except BaseException:
            raw.close()
            raise

    async def _resume(self, raw: RawConnection) -> None:
        assert self.hello is not None
        asked_at = self.basis.now()
        self.last_connection += 1
        received = self.conn.replay.received
        answer, rest = await greet(raw, again(self.hello, received, self.last_connection))
        raw.lift_limit()
        if not self.conn.attach(raw, answer.received):
            raw.close()
            self.conn.end(trio.BrokenResourceError(f"the session with {self.conn.name} cannot be resumed exactly"))
            return
        self.resumed(asked_at)
        self.conn.feed(rest)

    def resumed(self, asked_at: float | None = None) -> None:
        """The session has a connection again."""
        sometimes("a session goes on over another connection")
        self.pulse.resumed(self.basis.now(), asked_at)
        self._news.set()
        if self.on_break is not None:
            self.on_break(self.conn, False)


def again(hello: Hello, received: int, connection: int) -> Hello:
    """The first word on another connection of the same session."""
    return msgspec.structs.replace(hello, resumes=True, received=received, connection=connection)


def dialled(
    basis: Basis,
    role: Role,
    raw: RawConnection,
    hello: Hello,
    mail: Sequence[Received],
    dial: Dial,
    asked_at: float,
    on_break: OnBreak | None = None,
) -> SessionConnection:
    """The session that this end has opened with ``hello``, at ``asked_at``; ``mail`` came behind the WELCOME.

    It is kept while `keep` runs.
    """
    raw.lift_limit()
    conn = SessionConnection(raw, hello.session)
    Keeper(basis, conn, Pulse(role, dials=True, heard_at=asked_at), dial, hello, on_break)
    conn.feed(mail)
    return conn


def new_number(basis: Basis) -> int:
    """A number for a session that this node opens."""
    return basis.choose("session", SESSION_NUMBERS) + 1


async def keep(conn: Connection) -> None:
    """Keep a session until it is over; returns at once for a link that is none."""
    if isinstance(conn, SessionConnection) and isinstance(conn.watcher, Keeper):
        await conn.watcher.run()


def hang_up(conn: Connection, reason: str) -> None:
    """End a link that cannot go on; the other side is told why, where it can be."""
    if isinstance(conn, SessionConnection):
        conn.close(reason)
    else:
        conn.close()


def silent_s(conn: Connection) -> float:
    """For how long this end has not been known to be heard; 0 for a link that is no session."""
    if isinstance(conn, SessionConnection) and isinstance(conn.watcher, Keeper):
        return conn.watcher.basis.now() - conn.watcher.pulse.heard_at
    return 0.0


def is_healthy(conn: Connection) -> bool:
    """Whether somebody is at the other end of a link, as far as this side can tell."""
    return not isinstance(conn, SessionConnection) or not conn.is_broken


@attrs.define(eq=False)
class Sessions:
    """The sessions of one node that others have dialled."""

    keepers: dict[int, Keeper] = attrs.Factory(dict)

    def accepted(
        self, basis: Basis, role: Role, raw: RawConnection, hello: Hello, on_break: OnBreak | None = None
    ) -> Connection:
        """The session that the other end has opened; the connection itself if it wants none. The WELCOME has gone."""
        if not hello.session:
            return raw
        conn = SessionConnection(raw, hello.session)
        keeper = Keeper(basis, conn, Pulse(role, dials=False, heard_at=basis.now()), on_break=on_break)
        keeper.peer_role = hello.role
        self.keepers = {number: each for number, each in self.keepers.items() if not each.conn.is_over}
        self.keepers[hello.session] = keeper
        return conn

    async def let_in(self, name: str, then: Welcomer, arrival: Arrival) -> None:
        """One more connection of a session goes to that; ``then`` is called with all others. Raises `ProtocolError`,
        having sent a REFUSE."""
        raw, hello = arrival
        if hello.resumes:
            self.resume(raw, hello, name)
        else:
            self.check_new(raw, hello)
            await then(arrival)

    def check_new(self, raw: RawConnection, hello: Hello) -> None:
        """Refuse a session that is there already."""
        known = self.keepers.get(hello.session)
        if known is not None and not known.conn.is_over:
            refuse(raw, "this session is open already")

    def resume(self, raw: RawConnection, hello: Hello, name: str) -> None:
        """Somebody has come back: go on over this connection, or refuse it with a `ProtocolError`."""
        keeper = self.keepers.get(hello.session)
        if keeper is None or keeper.conn.is_over or keeper.peer_role != hello.role:
            refuse(raw, f"{name} has no such session (any more)")
        if hello.connection <= keeper.last_connection:
            refuse(raw, "a later connection of this session has come before", again=True)
        keeper.last_connection = hello.connection
        conn = keeper.conn
        if not conn.replay.can_rewind(hello.received):
            conn.end(trio.BrokenResourceError(f"the session with {conn.name} cannot be resumed exactly"))
            refuse(raw, "the session cannot be resumed exactly")
        raw.lift_limit()
        welcome(raw, name, received=conn.replay.received)
        conn.attach(raw, hello.received)
        keeper.resumed()
