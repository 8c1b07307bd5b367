"""A TCP proxy in the test's own loop: it forwards, cuts, freezes and heals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import trio


class Proxy:
    """Stands in front of one port; made by `open_proxy`."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.num_accepted = 0
        self.is_cut = False
        self._flows = trio.Event()
        self._flows.set()
        self._pairs: set[tuple[trio.SocketStream, trio.SocketStream]] = set()

    def cut(self) -> None:
        """All connections break, and new ones break at once, until `heal`."""
        self.is_cut = True
        for pair in list(self._pairs):
            for stream in pair:
                stream.socket.close()

    def freeze(self) -> None:
        """Nothing goes on, and nobody is told."""
        self._flows = trio.Event()

    def heal(self) -> None:
        self.is_cut = False
        self._flows.set()

    async def serve(self, near: trio.SocketStream) -> None:
        self.num_accepted += 1
        async with near:
            if self.is_cut:
                return
            async with await trio.open_tcp_stream("127.0.0.1", self.target) as far, trio.open_nursery() as nursery:
                self._pairs.add((near, far))
                nursery.start_soon(self._pump, near, far, nursery)
                nursery.start_soon(self._pump, far, near, nursery)
            self._pairs.discard((near, far))

    async def _pump(self, source: trio.SocketStream, target: trio.SocketStream, nursery: trio.Nursery) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while data := await source.receive_some(65_536):
                await self._flows.wait()
                await target.send_all(data)
        await self._flows.wait()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_proxy(target: int) -> AsyncIterator[Proxy]:
    """A proxy in front of a port on loopback."""
    proxy = Proxy(target)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, proxy.serve, 0)
        proxy.port = listeners[0].socket.getsockname()[1]
        yield proxy
        nursery.cancel_scope.cancel()
