"""What the suite for all transports shares: a way to open a pair of each, and short words to use it."""

import socket
from pathlib import Path

import trio

from tests.access import new_authority, write_access
from triort._access.access import Access
from triort._model import messages as m
from triort._model.ids import Address, Digest, JobId
from triort._model.roles import Badge
from triort._transport.connection import Connection
from triort._transport.memory import open_memory_pair
from triort._transport.session import SessionConnection
from triort._transport.sockets import SocketConnection
from triort._transport.tcp import accept_tcp, close_listener, dial_tcp, listen_tcp
from triort._wire.shared import Store

Pair = tuple[Connection, Connection]
SPEC = m.TaskSpec(JobId(1), Digest(b"f"), "f", 1, m.Options())
LARGE = 5 << 20


def submit(first: int, *parts: bytes) -> m.Received:
    addresses = [Address(first + i) for i in range(len(parts))]
    return m.Submit(0, [SPEC], addresses, [0] * len(parts), [len(p) for p in parts]), list(parts)


def talk(part: bytes) -> m.Received:
    return m.Talk(Address(99), len(part)), [part]


def update(number: int) -> m.Received:
    return m.Update(number, 0), []


async def tcp_pair(_: Path) -> tuple[SocketConnection, SocketConnection]:
    listeners = await listen_tcp("127.0.0.1", 0)
    try:
        near = await dial_tcp("127.0.0.1", listeners[0].getsockname()[1], timeout_s=5, max_bytes=None)
        return near, await accept_tcp(listeners[0], max_bytes=None)
    finally:
        close_listener(listeners[0])


async def tls_pair(folder: Path) -> tuple[SocketConnection, SocketConnection]:
    files = write_access(folder / "access", new_authority())
    listeners = await listen_tcp("127.0.0.1", 0, Access(Badge.NODE, files))
    try:
        port = listeners[0].getsockname()[1]
        near = await dial_tcp("127.0.0.1", port, Access(Badge.SERVER, files), timeout_s=5, max_bytes=None)
        far = await accept_tcp(listeners[0], Access(Badge.NODE, files), max_bytes=None)
    finally:
        close_listener(listeners[0])
    near.flush_nowait()
    while near.badge is None or far.badge is None:
        assert [*far.receive_nowait(), *near.receive_nowait()] == []
        await trio.lowlevel.checkpoint()
    return near, far


def unix_sockets(folder: Path) -> tuple[socket.socket, socket.socket]:
    near = socket.socket(socket.AF_UNIX)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "s"))
        listener.listen()
        near.connect(str(folder / "s"))
        far, _ = listener.accept()
    return near, far


async def unix_pair(folder: Path) -> Pair:
    near, far = unix_sockets(folder)
    return SocketConnection(near, "far"), SocketConnection(far, "near")


async def lending_pair(folder: Path) -> Pair:
    near, far = unix_sockets(folder)
    return SocketConnection(near, "far", store=Store()), SocketConnection(far, "near", store=Store())


async def half_lending_pair(_: Path) -> Pair:
    near, far = socket.socketpair()
    return SocketConnection(near, "far", store=Store()), SocketConnection(far, "near")


async def socket_pair(_: Path) -> Pair:
    near, far = socket.socketpair()
    return SocketConnection(near, "far"), SocketConnection(far, "near")


async def memory_pair(_: Path) -> Pair:
    return open_memory_pair("near", "far")


async def session_over_tcp(folder: Path) -> Pair:
    near, far = await tcp_pair(folder)
    return SessionConnection(near, 1), SessionConnection(far, 1)


async def session_over_tls(folder: Path) -> Pair:
    near, far = await tls_pair(folder)
    return SessionConnection(near, 1), SessionConnection(far, 1)


async def session_over_memory(_: Path) -> Pair:
    near, far = open_memory_pair("near", "far")
    return SessionConnection(near, 1), SessionConnection(far, 1)


TRANSPORTS = [
    tcp_pair,
    tls_pair,
    unix_pair,
    socket_pair,
    lending_pair,
    half_lending_pair,
    memory_pair,
    session_over_tcp,
    session_over_tls,
    session_over_memory,
]


def send(connection: Connection, *messages: m.Received) -> None:
    for message, parts in messages:
        connection.send_nowait(message, parts)
    connection.flush_nowait()


async def receive(connection: Connection, count: int) -> list[m.Received]:
    received: list[m.Received] = []
    while len(received) < count:
        received += await connection.receive()
    return [(message, [bytes(part) for part in parts]) for message, parts in received]
