"""How a client outlives its links: a server with a journal knows its jobs, also the one that is started next.

The link of a client is a session, which survives breaks by itself. When it has ended for good, and the server had a
journal, the client dials on for a lease. Whoever answers knows each job that was accepted; the client attaches to those
and sends the others again, under the same numbers, so none is taken twice. What it has heard already it is told again,
and drops.
"""

from __future__ import annotations

import trio

from triort._client.session import Session
from triort._model.errors import StartupError
from triort._model.limits import DIAL_WAIT_FIRST_S, DIAL_WAIT_GROWTH, DIAL_WAIT_MAX_S, LEASE_S, RETURNS_MAX
from triort._node.handshake import Refused
from triort._node.sessions import hang_up, keep, silent_s


async def serve_links(session: Session) -> None:
    """Serve the session's link, and the next ones, until it is closed; also under a cancel: what is cancelled has to
    hear of its end."""
    with trio.CancelScope(shield=True):
        while session.lost is None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.conn.run_writer)
                nursery.start_soon(keep, session.conn)
                reason = await session.read()
                nursery.cancel_scope.cancel()
            await _come_back(session, reason)


async def _come_back(session: Session, reason: str) -> None:
    """Find the next server, or give up."""
    hang_up(session.conn, "" if session.lost is not None else reason)
    if session.reopen is None or session.lost is not None or session.returns >= RETURNS_MAX:
        session.lose(reason)
        return
    old = session.conn
    session.is_away = True
    wait_s = DIAL_WAIT_FIRST_S * DIAL_WAIT_GROWTH**session.returns if session.returns else 0.0
    session.returns += 1
    with trio.move_on_after(LEASE_S) as session.returning:
        while session.lost is None:
            await trio.sleep(min(wait_s, DIAL_WAIT_MAX_S))
            wait_s = max(wait_s * DIAL_WAIT_GROWTH, DIAL_WAIT_FIRST_S)
            try:
                conn, welcome = await session.reopen()
            except Refused as exc:
                session.lose(f"{reason}; {exc}")
                return
            except (OSError, StartupError):
                continue
            if session.lost is not None:
                conn.close()
            elif silent_s(old) >= 2 * LEASE_S:
                conn.close()
                session.lose(f"{reason}, and this client comes too late for its jobs")
            elif welcome.journal:
                session.go_on(conn)
            else:
                conn.close()
                session.lose(f"{reason}; the one that listens there now has no journal")
            return
    session.lose(f"{reason}, and no server came back within {LEASE_S:g} s")
