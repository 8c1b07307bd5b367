"""Whom a manager serves next: a boss that comes to its door, or the one that it joins.

One boss at a time. A manager whose boss is lost for good is free again, and so is one whose boss is not to be heard: a
server that was killed and started again need not wait until its manager has noticed. Who comes to a manager that has
another, healthy boss is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from triort._core.pulse import Role
from triort._model.errors import ProtocolError, StartupError
from triort._model.limits import DIAL_S, DIAL_WAIT_FIRST_S, DIAL_WAIT_GROWTH, RETRY_WAIT_MAX_S
from triort._model.messages import Hello, Received
from triort._node.handshake import Refused, greet, make_hello, refuse, welcome
from triort._node.sessions import dialled, new_number
from triort._transport.connection import Connection, RawConnection

if TYPE_CHECKING:
    from triort._node.server_base import ServerBase


@attrs.frozen
class Boss:
    """One whom this node is going to serve: the link, and the ids that come with it."""

    conn: Connection
    name: str
    lower_id: int
    upper_id: int
    mail: list[Received] = attrs.field(factory=list)


@attrs.define(eq=False)
class BossDoor:
    """At most one boss waits here; ``give_up`` is asked whether the present one may be left for another."""

    node: ServerBase
    give_up: Callable[[], bool]
    _next: Boss | None = None
    _arrived: trio.Event = attrs.Factory(trio.Event)

    def arrive(self, conn: RawConnection, hello: Hello) -> None:
        """A boss has come: it is welcome, or refused with a `ProtocolError`."""
        if not 0 <= hello.lower_id < hello.upper_id:
            raise ProtocolError(f"{conn.name} gives no ids")
        if self._next is not None or not self.give_up():
            refuse(conn, f"{self.node.name} has a boss already", again=True)
        welcome(conn, self.node.name, hello.lower_id)
        link = self.node.sessions.accepted(self.node.machine, Role.EMPLOYEE, conn, hello)
        self._next = Boss(link, hello.name, hello.lower_id, hello.upper_id)
        self._arrived.set()

    async def wait_next(self) -> Boss:
        """Wait until a boss has come. Without bound: it may start at any time."""
        await self._arrived.wait()
        self._arrived = trio.Event()
        boss, self._next = self._next, None
        assert boss is not None
        return boss

    def close(self) -> None:
        """Who has come and was not served finds the link closed."""
        if self._next is not None:
            self._next.conn.close()
            self._next = None


async def join_boss(node: ServerBase, host: str, port: int, *, listens_at: int, patient: bool) -> Boss:
    """Dial the boss that is to be joined, and hear which ids this node has.

    With ``patient`` again and again, with growing waits; without it a refusal or nobody there, `DIAL_S` long, is a
    `StartupError`. That the boss cannot take anybody now is waited out in both cases.
    """
    wait_s, since = DIAL_WAIT_FIRST_S, trio.current_time()
    while True:
        try:
            return await _join_once(node, host, port, listens_at)
        except StartupError as exc:
            may_wait = isinstance(exc, Refused) and exc.again and trio.current_time() < since + DIAL_S
            if not patient and not may_wait:
                raise
            node.logger.info("%s: %s", node.name, exc)
        await node.machine.wait_to_dial(host, port, wait_s)
        wait_s = min(wait_s * DIAL_WAIT_GROWTH, RETRY_WAIT_MAX_S)


async def _join_once(node: ServerBase, host: str, port: int, listens_at: int) -> Boss:
    machine = node.machine
    conn = await machine.dial(host, port, timeout_s=DIAL_S)
    hello = make_hello("employee", node.name, port=listens_at, session=new_number(machine))
    asked_at = machine.now()
    try:
        answer, mail = await greet(conn, hello)
        conn.lift_limit()
        conn.name = answer.name
        if not 0 <= answer.lower_id < answer.upper_id:
            raise StartupError(f"{answer.name} at {host}:{port} gives no ids")
    except BaseException:
        conn.close()
        raise
    link = dialled(machine, Role.EMPLOYEE, conn, hello, mail, partial(machine.dial_once, host, port), asked_at)
    return Boss(link, answer.name, answer.lower_id, answer.upper_id)
