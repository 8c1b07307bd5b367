"""Workers that connect by themselves (``only_connect``): where they find their manager, and how they are let in.

A port on loopback is open to everybody on the host. So the one at ``worker_port`` says one line, the path of a Unix
socket, and hangs up; it reads nothing. The socket lies in a folder that only this user can enter, and tells uid and pid
of who connects, which TCP does not:

    triort-worker ── TCP ──► worker_port          "path\\n", end
    worker ── Unix ──► the path                   uid and pid by SO_PEERCRED, then
           ◄── PREAMBLE, with the fd of a page    the only bytes that are no frame
           ──► Hello ◄── Welcome ──► Started      and from there on it is a worker like others

Both listen from the start, so that port trouble shows at once and workers may come before the boss does; they are let
in when `Rendezvous.gather` is called, for only then are there ids to give. A worker's end is told by its pidfd; who has
started it also replaces it.

When the node loses its boss, all its workers are to go, and new ones to come for the next one. So `turn_out` takes the
Unix socket away first and then kills them: whoever has started them sees by that what has happened, asks the port
again, and hears another path.
"""

from __future__ import annotations

import logging
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import trio
from trio_util import AsyncValue

from triort._model.errors import ProtocolError, StartupError
from triort._model.limits import HANDSHAKE_BYTES_MAX, HANDSHAKES_MAX, LISTEN_BACKLOG_MAX, START_S
from triort._node.connected import ConnectedWorker
from triort._node.handshake import receive_hello, refuse, welcome
from triort._node.page import SharedPage
from triort._node.peers import pin_peer
from triort._node.spawned import WorkerExit
from triort._transport.sockets import SocketConnection
from triort._transport.tcp import accept_socket, close_listener, listen_tcp

if TYPE_CHECKING:
    from triort._node.server_base import ServerBase

PREAMBLE = b"triort worker link 1\n"
FOLDER_PREFIX = "triort-"
DOOR = "workers"


class Rendezvous:
    """The two listeners of one node; made by `open_rendezvous`."""

    def __init__(self, node: ServerBase, port: int) -> None:
        self.node = node
        self.port = port
        """Where the path is told; the real port, once it listens."""
        self.path = ""
        self._num_workers = AsyncValue(0)
        self._is_gathering = trio.Event()
        self._processes: set[ConnectedWorker] = set()
        self._opened = trio.CancelScope()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Tell the path and let workers in, until cancelled; workers that have not ended by then are killed."""
        listeners = await listen_tcp("127.0.0.1", self.port)
        self.port = listeners[0].getsockname()[1]
        try:
            async with trio.open_nursery() as nursery:
                while True:
                    with _open_door() as door:
                        if not self.path:
                            for listener in listeners:
                                nursery.start_soon(self._tell_path, listener)
                            task_status.started()
                        self.path = door.getsockname()
                        await self._open(door)
        finally:
            for listener in listeners:
                close_listener(listener)
            self._kill_all()

    async def _open(self, door: socket.socket) -> None:
        """Let workers in by this door, once they are wanted, until they are turned out."""
        with trio.CancelScope() as self._opened:
            async with trio.open_nursery() as nursery:
                await self._is_gathering.wait()
                await self._let_in(door, nursery)

    def turn_out(self) -> None:
        """Take the door away and kill all workers; those who come then wait at another one."""
        self._opened.cancel()
        with suppress(OSError):
            os.unlink(self.path)
        self._kill_all()
        self._is_gathering = trio.Event()
        self._num_workers = AsyncValue(0)

    def _kill_all(self) -> None:
        for process in self._processes:
            process.kill()
            process.close()
        self._processes = set()

    async def gather(self, num_workers: int) -> None:
        """Let workers in from now on, and wait until there are so many; `START_S` at most, else `StartupError`."""
        self._is_gathering.set()
        with trio.move_on_after(START_S):
            await self._num_workers.wait_value(lambda count: count >= num_workers)
            return
        raise StartupError(
            f"{self.node.name}: {self._num_workers.value} of {num_workers} workers have connected to "
            f"127.0.0.1:{self.port} within {START_S:g} s"
        )

    async def _tell_path(self, listener: socket.socket) -> None:
        while True:
            sock, _ = await accept_socket(listener)
            with sock, suppress(OSError):  # whoever it was has gone
                sock.setblocking(False)
                sock.send(f"{self.path}\n".encode())

    async def _let_in(self, door: socket.socket, nursery: trio.Nursery) -> None:
        slots = trio.CapacityLimiter(HANDSHAKES_MAX)
        while True:
            sock, _ = await accept_socket(door)
            request = object()
            await slots.acquire_on_behalf_of(request)
            nursery.start_soon(self._serve, sock, slots, request)

    async def _serve(self, sock: socket.socket, slots: trio.CapacityLimiter, request: object) -> None:
        process: ConnectedWorker | None = None
        try:
            try:
                process = _hire(sock)
                self._processes.add(process)
                await self._admit(process, sock)
            finally:
                slots.release_on_behalf_of(request)
        except (OSError, ProtocolError, StartupError) as exc:
            level = logging.INFO if isinstance(exc, OSError) else logging.WARNING  # it has gone again, or it may not
            self.node.logger.log(level, "%s: a worker was not let in: %s", self.node.name, exc)
            if process is not None:
                self._processes.discard(process)
                process.close()
            return
        finally:
            if process is None:
                sock.close()
        await self._watch(process)

    async def _admit(self, process: ConnectedWorker, sock: socket.socket) -> None:
        pool = self.node.open_pool()
        store = self.node.machine.store
        conn = SocketConnection(sock, f"process {process.pid}", max_bytes=HANDSHAKE_BYTES_MAX, store=store)
        try:
            hello = await receive_hello(conn, ("worker",))
            if hello.pid != process.pid:
                refuse(conn, f"it calls itself process {hello.pid} and is process {process.pid} here")
            process.node_id, process.name = pool.next_identity()
            conn.name = process.name
            welcome(conn, process.name, process.node_id)
            conn.lift_limit()
            await pool.adopt(process, conn)
        except BaseException:
            conn.close()
            raise

    async def _watch(self, process: ConnectedWorker) -> None:
        if process.pidfd < 0:
            return  # it was turned out in the meantime
        self._num_workers.value += 1
        watched = os.dup(process.pidfd)  # the pool waits for the other one, and only one task may wait for an fd
        try:
            await trio.lowlevel.wait_readable(watched)
        finally:
            os.close(watched)
        self._num_workers.value -= 1
        self._processes = {each for each in self._processes if each.pidfd >= 0}
        assert self.node.pool is not None
        self.node.pool.report_exit(WorkerExit(process.node_id, process.pid, None, None, None))


def _hire(sock: socket.socket) -> ConnectedWorker:
    """Find out who has connected, and hand over a page. Raises `ProtocolError` or `OSError`."""
    sock.setblocking(False)
    pid, pidfd = pin_peer(sock)
    try:
        page = SharedPage.create()
    except OSError:
        os.close(pidfd)
        raise
    process = ConnectedWorker(pid, pidfd, page)
    try:
        socket.send_fds(sock, [PREAMBLE], [page.fd])  # the first bytes on this socket: there is room
    except OSError:
        process.close()
        raise
    page.drop_fd()
    return process


@contextmanager
def _open_door() -> Iterator[socket.socket]:
    """A Unix socket that listens in a folder of its own, 0700; both are gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX, ignore_cleanup_errors=True) as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door,
    ):
        door.setblocking(False)
        try:
            door.bind(os.path.join(folder, DOOR))
        except OSError as error:
            raise StartupError(f"no Unix socket in {folder}: {error}; set TMPDIR to a shorter path") from None
        door.listen(LISTEN_BACKLOG_MAX)
        try:
            yield door
        finally:
            trio.lowlevel.notify_closing(door)


async def open_rendezvous(node: ServerBase, port: int, nursery: trio.Nursery | None = None) -> Rendezvous:
    """Listen for workers that connect by themselves, as a task of this nursery or the node's; raises `StartupError`."""
    rendezvous = Rendezvous(node, port)
    nursery = nursery or node._nursery
    assert nursery is not None, "the node is not running"
    await nursery.start(rendezvous.run)
    return rendezvous


async def gather_workers(node: ServerBase, num_workers: int, port: int) -> None:
    """Wait for so many workers at ``port``; see `ServerBase.connect_to_workers`."""
    if node.rendezvous is None:
        node.rendezvous = await open_rendezvous(node, port)
    node.open_pool().share_memory(num_workers)
    await node.rendezvous.gather(num_workers)
