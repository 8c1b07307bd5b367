"""How a client comes to its server, and how its session is served and closed."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import trio

from triort._client.client import Client
from triort._client.returning import serve_links
from triort._client.session import Reopen, Session
from triort._core.pulse import Role
from triort._model.limits import DIAL_S
from triort._model.messages import Options, Welcome
from triort._model.roles import Badge
from triort._node.handshake import greet, make_hello
from triort._node.machine import AccessPath, Basis, OwnMachine
from triort._node.sessions import Dial, dialled, new_number
from triort._transport.connection import Connection, RawConnection
from triort._transport.endpoints import parse_endpoint

_DEFAULT_ADDRESS = "127.0.0.1:7472"


@asynccontextmanager
async def serve_session(conn: Connection, reopen: Reopen | None = None) -> AsyncIterator[Client]:
    """A client over a connection that the other side has accepted, and over those that ``reopen`` makes when the server
    was lost; closes it in the end."""
    session = Session(conn, reopen)
    error: BaseException | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_links, session)
        try:
            yield Client(session, Options())
        except BaseException as exc:  # raised again below, so that no nursery wraps it
            error = exc
        session.close()
    if error is not None:
        raise error


@asynccontextmanager
async def open_client(address: str | None = None, *, access: AccessPath | None = None) -> AsyncIterator[Client]:
    """Connect to a running server at ``HOST[:PORT]`` (default: that in the access file, else port 7472 on this host).

    ``access`` is a client's access file, or a folder that has one; None: as ``TRIORT_ACCESS`` says, or the user's
    default folder. Waits for the server with growing pauses, some seconds at most; raises `StartupError` with the
    address and the reason. Leaving the block cancels the jobs that are still open.
    """
    async with dial_client(address, DIAL_S, access) as client:
        yield client


async def greet_server(
    basis: Basis, raw: RawConnection, name: str, dial: Dial, token: int = 0
) -> tuple[Connection, Welcome]:
    """The session over a connection that has just been dialled, with ``dial`` for the next ones; raises
    `StartupError`."""
    hello, asked_at = make_hello("client", name, session=new_number(basis), client=token), basis.now()
    try:
        answer, mail = await greet(raw, hello)
    except BaseException:
        raw.close()
        raise
    return dialled(basis, Role.CLIENT, raw, hello, mail, dial, asked_at), answer


@asynccontextmanager
async def dial_client(address: str | None, timeout_s: float, access: AccessPath | None = None) -> AsyncIterator[Client]:
    """As `open_client`, with another patience."""
    machine, token = OwnMachine(Badge.CLIENT, access), secrets.randbits(62) + 1
    host, port = parse_endpoint(address or machine.access.load().file.address or _DEFAULT_ADDRESS, 7472)
    name = f"{os.path.basename(sys.argv[0] or 'python')}[{os.getpid()}]"

    async def open_link(timeout_s: float) -> tuple[Connection, Welcome]:
        raw = await machine.dial(host, port, timeout_s=timeout_s)
        return await greet_server(machine, raw, name, partial(machine.dial_once, host, port), token)

    conn, welcome = await open_link(timeout_s)
    async with serve_session(conn, partial(open_link, DIAL_S) if welcome.journal else None) as client:
        yield client
