"""How a client comes to its server, and how its session is served and closed."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from triort._client.client import Client
from triort._client.session import Session
from triort._model.limits import DIAL_S
from triort._model.messages import Options
from triort._node.handshake import greet, make_hello
from triort._transport.connection import Connection
from triort._transport.tcp import dial_tcp, parse_endpoint

_DEFAULT_ADDRESS = "127.0.0.1:7472"


@asynccontextmanager
async def serve_session(conn: Connection) -> AsyncIterator[Client]:
    """A client over a connection that the other side has accepted; closes it in the end."""
    session = Session(conn)
    error: BaseException | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_run_link, conn, session)
        try:
            yield Client(session, Options())
        except BaseException as exc:  # raised again below, so that no nursery wraps it
            error = exc
        session.lose("this client has been closed")
        conn.close()
    if error is not None:
        raise error


async def _run_link(conn: Connection, session: Session) -> None:
    """Serve the link until it is closed, also under a cancel: jobs that it cancels have to hear of their end."""
    with trio.CancelScope(shield=True):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(conn.run_writer)
            nursery.start_soon(session.run)


@asynccontextmanager
async def open_client(address: str | None = None) -> AsyncIterator[Client]:
    """Connect to a running server at ``HOST[:PORT]`` (default: port 7472 on this host).

    Waits for it with growing pauses, some seconds at most; raises `StartupError` with the address and the reason.
    Leaving the block cancels the jobs that are still open.
    """
    async with dial_client(address, DIAL_S) as client:
        yield client


@asynccontextmanager
async def dial_client(address: str | None, timeout_s: float) -> AsyncIterator[Client]:
    """As `open_client`, with another patience."""
    host, port = parse_endpoint(address or _DEFAULT_ADDRESS, 7472)
    conn = await dial_tcp(host, port, timeout_s=timeout_s)
    try:
        await greet(conn, make_hello("client", f"{os.path.basename(sys.argv[0] or 'python')}[{os.getpid()}]"))
    except BaseException:
        conn.close()
        raise
    conn.lift_limit()
    async with serve_session(conn) as client:
        yield client
