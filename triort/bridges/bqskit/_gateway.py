"""The gateway: unmodified ``bqskit.compiler.Compiler`` objects connect to it as to a server of BQSKit's.

The protocol knows no authentication, and what comes is run. So the gateway listens on loopback only, and takes a
connection only from a process of its own user: the kernel says whose it is (see `_peers`).

A client of BQSKit's is in one of two states: it does something else, or it waits for an answer, and only then takes log
records; one that came at another time would cost it its connection (its code takes bytes for a record there). So
records wait here until their client does.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from functools import partial

import trio

from triort._client.client import Client
from triort._client.jobs import Job
from triort._client.talk import make_record, show
from triort._model.errors import ProtocolError, StartupError
from triort._model.limits import GATEWAY_CLIENTS_MAX
from triort._model.messages import Log, Print
from triort.bridges.bqskit._gateway_client import GatewayClient, Leave
from triort.bridges.bqskit._peers import uid_of_peer
from triort.bridges.bqskit._wire import Kind, encode_message, framed

HOST = "127.0.0.1"
logger = logging.getLogger("triort.bqskit")


class Gateway:
    """Serves BQSKit's clients by a client of a triort cluster."""

    def __init__(self, client: Client, listeners: list[trio.SocketListener]) -> None:
        self.client = client
        self.listeners = listeners
        self.port = int(listeners[0].socket.getsockname()[1])
        self.uid = os.geteuid()
        self.owners: dict[Job, GatewayClient] = {}
        """Whose log records are whose."""
        self._num_clients = 0

    async def serve(self, on_listening: Callable[[Gateway], None]) -> None:
        """Serve until cancelled. Raises `ConnectionLost` when the cluster is lost."""
        self.client._session.show = self._show
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(trio.serve_listeners, self._serve_connection, self.listeners))
            on_listening(self)

    def _show(self, message: Print | Log) -> None:
        """A task has said something."""
        if isinstance(message, Print):
            show(message)
            return
        for job in self.client._session.jobs.get(message.job, ()):
            owner = self.owners.get(job)
            if owner is not None:
                owner.keep_record(make_record(message))

    async def _serve_connection(self, stream: trio.SocketStream) -> None:
        own, peer = stream.socket.getsockname()[:2], stream.socket.getpeername()[:2]
        name = f"{peer[0]}:{peer[1]}"
        self._num_clients += 1
        try:
            refusal = await self._refusal(own, peer)
            if refusal is not None:
                logger.warning("refused the connection from %s: %s", name, refusal)
                await stream.send_all(framed(encode_message(Kind.ERROR, f"triort-bqskit-server: {refusal}")))
                return
            await GatewayClient(self, stream, name).serve()
        except Leave:
            logger.info("%s has left", name)
        except (ProtocolError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError) as exc:
            logger.warning("the connection from %s has ended: %s", name, str(exc) or type(exc).__name__)
        finally:
            self._num_clients -= 1
            await trio.aclose_forcefully(stream)

    async def _refusal(self, own: tuple[str, int], peer: tuple[str, int]) -> str | None:
        """Why this peer is not served."""
        if self._num_clients > GATEWAY_CLIENTS_MAX:
            return f"there are {GATEWAY_CLIENTS_MAX} clients already"
        uid = await trio.to_thread.run_sync(uid_of_peer, own, peer)
        if uid == self.uid:
            return None
        return f"it belongs to {'nobody' if uid is None else f'uid {uid}'}, and only uid {self.uid} is served"


async def listen(port: int) -> list[trio.SocketListener]:
    """Listen on loopback; raises `StartupError` when the port is not free."""
    if not sys.platform.startswith("linux"):
        raise StartupError("the gateway runs on Linux only: elsewhere it cannot tell whose process connects")
    try:
        return await trio.open_tcp_listeners(port, host=HOST)
    except OSError as exc:
        raise StartupError(f"cannot listen on {HOST}:{port}: {exc.strerror or exc}") from exc
