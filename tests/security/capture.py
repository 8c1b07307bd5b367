"""Every byte that an honest client sends, handshake included, as somebody on the way would see it."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import trio

import triort

BOUND_S = 20.0


class _Tap:
    """Passes one connection on to a port of this host, and keeps what goes there."""

    def __init__(self, port: int) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(BOUND_S)
        self.port: int = self.listener.getsockname()[1]
        self.target = port
        self.kept = bytearray()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        near, _ = self.listener.accept()
        far = socket.create_connection(("127.0.0.1", self.target), BOUND_S)
        back = threading.Thread(target=_pass_on, args=(far, near, bytearray()), daemon=True)
        back.start()
        _pass_on(near, far, self.kept)
        back.join()
        for sock in (near, far, self.listener):
            sock.close()


def _pass_on(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    try:
        while data := source.recv(65_536):
            kept += data
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def record_client(port: int, access: Path) -> bytes:
    """What a client sends that asks a server for its status and leaves."""
    tap = _Tap(port)

    async def ask() -> None:
        async with triort.open_client(f"127.0.0.1:{tap.port}", access=access) as client:
            await client.status()

    trio.run(ask)
    tap.thread.join()
    return bytes(tap.kept)
