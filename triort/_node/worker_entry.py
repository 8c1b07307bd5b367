"""Where a forked process becomes a worker."""

from __future__ import annotations

import socket

import trio

from triort._node.assignment import WorkerAssignment
from triort._node.output import redirected
from triort._node.page import SharedPage
from triort._node.worker import Worker
from triort._transport.sockets import SocketConnection
from triort._wire.shared import Store


def run_worker(assignment: WorkerAssignment) -> None:
    """The entry of a forked worker; returns when the boss has said shutdown or is gone."""
    sock = socket.socket(fileno=assignment.link_fd)
    sock.setblocking(False)
    page = SharedPage.from_fd(assignment.page_fd)
    worker = Worker(assignment.node_id, assignment.name, SocketConnection(sock, "boss", store=Store()), page)
    with redirected(lambda: worker):
        trio.run(worker.run)
