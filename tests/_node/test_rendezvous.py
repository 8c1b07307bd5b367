"""The rendezvous of workers that connect by themselves: what it says to whom, and what is left of it."""

import array
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from triort._model.errors import ProtocolError, StartupError
from triort._model.messages import Refuse
from triort._node import rendezvous, worker_host
from triort._node.handshake import make_hello
from triort._node.peers import pin_peer
from triort._node.rendezvous import PREAMBLE, Rendezvous
from triort._node.server import Server
from triort._node.worker_host import WorkerHost
from triort._transport.sockets import SocketConnection
from triort._transport.tcp import dial_socket

pytestmark = pytest.mark.processes


@asynccontextmanager
async def open_node() -> AsyncIterator[Server]:
    """A node with nothing below it, at work."""
    node = Server(None, None)
    async with node.open_node():
        node.rendezvous = await rendezvous.open_rendezvous(node, 0)
        yield node


def here(node: Server) -> Rendezvous:
    assert node.rendezvous is not None
    return node.rendezvous


async def hear(port: int, say: bytes = b"") -> bytes:
    """What the port says until it hangs up."""
    with await dial_socket("127.0.0.1", port, timeout_s=1) as sock:
        if say:
            sock.send(say)
        said = b""
        while True:
            await trio.lowlevel.wait_readable(sock)
            try:
                data = sock.recv(4096)
            except ConnectionResetError:
                return said
            if not data:
                return said
            said += data


async def come(path: str) -> tuple[SocketConnection, int]:
    """Connect as a worker does: the link and the number of fds that came behind the preamble."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    sock.setblocking(False)
    await trio.lowlevel.wait_readable(sock)
    data, ancillary, _, _ = sock.recvmsg(4096, 64, socket.MSG_CMSG_CLOEXEC)
    assert data == PREAMBLE
    fds = array.array("i", ancillary[0][2])
    for fd in fds:
        os.close(fd)
    return SocketConnection(sock, "the manager"), len(fds)


async def test_the_port_tells_a_path_in_a_private_folder_and_hangs_up() -> None:
    async with open_node() as node:
        path = Path(here(node).path)
        assert await hear(here(node).port) == f"{path}\n".encode()
        assert path.is_socket()
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not path.parent.exists()


async def test_whatever_is_said_at_the_port_is_not_read() -> None:
    async with open_node() as node:
        for garbage in (b"GET / HTTP/1.0\r\n\r\n", bytes(range(256))):
            await hear(here(node).port, garbage)
        assert await hear(here(node).port) == f"{here(node).path}\n".encode()


async def test_nobody_is_let_in_before_the_workers_are_wanted() -> None:
    async with open_node() as node:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(here(node).path)
            await trio.testing.wait_all_tasks_blocked(0.05)
            with pytest.raises(BlockingIOError):
                sock.recv(1, socket.MSG_DONTWAIT)


async def test_too_few_workers_are_told_with_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "START_S", 0.05)
    async with open_node() as node:
        with pytest.raises(StartupError, match=r"^server: 0 of 2 workers have connected to 127\.0\.0\.1:\d+ within"):
            await node.connect_to_workers(2)


async def test_one_who_lies_about_its_pid_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "START_S", 0.2)
    async with open_node() as node, trio.open_nursery() as nursery:
        nursery.start_soon(_gather_in_vain, node)
        conn, num_fds = await come(here(node).path)
        assert num_fds == 1
        conn.send_nowait(make_hello("worker", "liar", pid=os.getpid() + 1))
        conn.flush_nowait()
        [(message, _)] = await conn.receive()
        assert isinstance(message, Refuse)
        assert f"is process {os.getpid()} here" in message.reason
        with pytest.raises(trio.EndOfChannel):
            await conn.receive()
        conn.close()


async def test_a_client_is_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "START_S", 0.2)
    async with open_node() as node, trio.open_nursery() as nursery:
        nursery.start_soon(_gather_in_vain, node)
        conn, _ = await come(here(node).path)
        conn.send_nowait(make_hello("client", "client", pid=os.getpid()))
        conn.flush_nowait()
        [(message, _)] = await conn.receive()
        assert isinstance(message, Refuse)
        with pytest.raises(trio.EndOfChannel):
            await conn.receive()
        conn.close()


async def _gather_in_vain(node: Server) -> None:
    with pytest.raises(StartupError):
        await node.connect_to_workers(1)


def test_a_peer_of_another_user_is_a_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(os, "geteuid", lambda: 4_242)
    with ours, theirs, pytest.raises(ProtocolError, match="serves user 4242 alone"):
        pin_peer(ours)


def test_a_peer_that_has_hung_up_cannot_be_pinned() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(BrokenPipeError):
        pin_peer(ours)


def test_a_peer_is_pinned_by_a_pidfd() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pid, pidfd = pin_peer(ours)
    os.close(pidfd)
    assert pid == os.getpid()


async def test_workers_without_a_manager_are_told_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_host, "DIAL_S", 0.1)
    with pytest.raises(StartupError, match=r"^cannot connect to 127\.0\.0\.1:1: connection refused"):
        await WorkerHost(1, 1).run()
