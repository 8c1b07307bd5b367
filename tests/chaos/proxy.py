"""A small proxy before a manager: the link through it can be broken, or fall silent, one way or both."""

from __future__ import annotations

import socket
import struct

import attrs
import trio

CHUNK_BYTES = 1 << 16
ABORT = struct.pack("ii", 1, 0)


@attrs.define(eq=False)
class Proxy:
    """Listens at ``port`` and passes on to ``target_port``, both on loopback."""

    port: int
    target_port: int
    _streams: set[trio.SocketStream] = attrs.Factory(set)
    _may_pass: dict[bool, trio.Event] = attrs.Factory(dict)
    """For each direction (True: towards the manager); set while it is open."""

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        self.heal()
        async with trio.open_nursery() as nursery:
            listeners = await trio.open_tcp_listeners(self.port, host="127.0.0.1")
            task_status.started()
            await trio.serve_listeners(self._serve, listeners, handler_nursery=nursery)

    def heal(self) -> None:
        """Let everything pass, also what has waited."""
        for event in self._may_pass.values():
            event.set()
        self._may_pass = {True: trio.Event(), False: trio.Event()}
        for event in self._may_pass.values():
            event.set()

    def silence(self, *, down: bool = True, up: bool = True) -> None:
        """Hold what travels, towards the manager or from it, until `heal`. New connections are taken, and silent."""
        if down:
            self._may_pass[True] = trio.Event()
        if up:
            self._may_pass[False] = trio.Event()

    def break_all(self) -> None:
        """Abort all connections; new ones are welcome."""
        for stream in self._streams:
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            stream.socket.close()

    async def _serve(self, near: trio.SocketStream) -> None:
        try:
            far = await trio.open_tcp_stream("127.0.0.1", self.target_port)
        except OSError:
            await trio.aclose_forcefully(near)
            return
        self._streams |= {near, far}
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pump, near, far, True, nursery.cancel_scope)
                nursery.start_soon(self._pump, far, near, False, nursery.cancel_scope)
        finally:
            for stream in (near, far):
                self._streams.discard(stream)
                await trio.aclose_forcefully(stream)

    async def _pump(
        self, source: trio.SocketStream, sink: trio.SocketStream, is_down: bool, scope: trio.CancelScope
    ) -> None:
        try:
            while data := await source.receive_some(CHUNK_BYTES):
                await self._may_pass[is_down].wait()
                await sink.send_all(data)
            await self._may_pass[is_down].wait()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        scope.cancel()
