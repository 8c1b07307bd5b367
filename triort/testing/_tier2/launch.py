"""How the nodes and clients of a simulated cluster are started, the first time and again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import attrs

from triort._client.client import Client
from triort._client.opening import greet_server, serve_session
from triort._model.limits import DIAL_S
from triort._model.messages import Welcome
from triort._node.manager import Manager
from triort._node.server import Server
from triort._node.server_base import ServerBase
from triort._transport.connection import Connection
from triort.testing._tier2.machine import SimMachine

HOST = "127.0.0.1"
SERVER_PORT = 7472
AGAIN_S = 1.0
"""After so long a node that could not start is started again."""


@attrs.frozen
class Spec:
    """What a server or manager is started with."""

    port: int
    num_workers: int = 0
    ports: list[int] | None = None
    """Where the managers listen that it dials."""
    joins: int | None = None
    """Where its boss listens, if it joins that by itself."""

    @property
    def needs(self) -> list[int]:
        """Where others have to listen before it can start."""
        return [*(self.ports or ()), *(() if self.joins is None else (self.joins,))]


def make_node(name: str, spec: Spec, *, journal: bool) -> ServerBase:
    """The node, which does not run yet."""
    ipports = None if spec.ports is None else [(HOST, port) for port in spec.ports]
    if name == "s":
        path = "journal" if journal else None
        return Server(ipports, spec.port, num_workers=spec.num_workers or -1, name=name, journal=path)
    join = None if spec.joins is None else (HOST, spec.joins)
    return Manager(spec.port, spec.num_workers or -1, ipports, name=name, join=join)


@asynccontextmanager
async def open_client(machine: SimMachine) -> AsyncIterator[Client]:
    """A client of the server, as `triort.open_client` makes one; raises `StartupError`."""
    token = machine.choose("token", 1 << 62) + 1

    async def open_link(timeout_s: float) -> tuple[Connection, Welcome]:
        raw = await machine.dial(HOST, SERVER_PORT, timeout_s=timeout_s)
        return await greet_server(machine, raw, machine.name, partial(machine.dial_once, HOST, SERVER_PORT), token)

    conn, welcome = await open_link(DIAL_S)
    async with serve_session(conn, partial(open_link, DIAL_S) if welcome.journal else None) as client:
        yield client
