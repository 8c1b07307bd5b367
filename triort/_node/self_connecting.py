"""A worker that connects by itself: the entry of the processes that ``triort-worker`` forks.

Its link to the process that has started it carries little: the path downwards, and upwards a word for each thing that
has happened, which is read once the worker has ended. The last word tells what its end means:

    gone …       there was no manager at the path, or it went away: nothing is left to do
    refused …    the manager does not want this worker, and will not want the next one
    started …    it was at work and has died there: another one is to take its place
    done         the manager has dismissed it, or has ended
"""

import os
import socket
from collections.abc import Callable

import trio

from triort._model.errors import ProtocolError, StartupError
from triort._model.limits import RENDEZVOUS_LINE_BYTES_MAX, TEXT_CHARS_MAX
from triort._node.assignment import WorkerAssignment, receive_packet
from triort._node.handshake import greet, make_hello
from triort._node.output import redirected
from triort._node.page import SharedPage
from triort._node.peers import pin_peer
from triort._node.rendezvous import PREAMBLE
from triort._node.worker import Worker
from triort._transport.sockets import SocketConnection
from triort._wire.shared import Store

ENTRY = "triort._node.self_connecting:run_connecting_worker"


def meet_manager(path: str) -> tuple[socket.socket, SharedPage]:
    """Connect to the Unix socket and receive the page; blocks until the manager lets workers in.

    Raises `OSError` or `EOFError` when nobody is there, `ProtocolError` when it is a stranger.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(path)
        os.close(pin_peer(sock)[1])
        data, fds = receive_packet(sock, fds_max=1)
        if not data:
            raise EOFError("the manager has gone")
        if data != PREAMBLE or len(fds) != 1:
            raise ProtocolError(f"{path} leads to no manager of this version")
        return sock, SharedPage.from_fd(fds[0])
    except BaseException:
        sock.close()
        raise


def run_connecting_worker(assignment: WorkerAssignment) -> None:
    """Serve the manager whose path comes over the link; returns when it has said shutdown or is gone."""
    os.close(assignment.page_fd)
    with socket.socket(fileno=assignment.link_fd) as starter:

        def tell(word: str, text: object = "") -> None:
            starter.send(f"{word} {str(text)[:TEXT_CHARS_MAX]}\n".encode("utf-8", "backslashreplace"))

        path = starter.recv(RENDEZVOUS_LINE_BYTES_MAX).decode().strip()
        try:
            sock, page = meet_manager(path)
        except (OSError, EOFError) as exc:
            tell("gone", exc)
            return
        except ProtocolError as exc:
            tell("refused", exc)
            return
        trio.run(_serve, assignment.name, SocketConnection(sock, "the manager", store=Store()), page, tell)


async def _serve(name: str, conn: SocketConnection, page: SharedPage, tell: Callable[..., None]) -> None:
    try:
        welcome, _ = await greet(conn, make_hello("worker", name, pid=os.getpid()))
    except StartupError as exc:
        conn.close()
        tell("refused", exc)
        return
    worker = Worker(welcome.node_id, welcome.name, conn, page)
    tell("started", welcome.name)
    with redirected(lambda: worker):
        await worker.run()
    tell("done")
