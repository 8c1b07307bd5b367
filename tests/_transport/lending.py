"""Ends of Unix sockets that lend large parts, and what is left of these afterwards."""

import array
import os
import socket
from pathlib import Path

import msgspec

from tests._transport.check_connection import LARGE
from triort._model import messages as m
from triort._transport.sockets import SocketConnection
from triort._wire.layout import PREFIX
from triort._wire.shared import Store

DATA = os.urandom(LARGE)
Ends = tuple[SocketConnection, SocketConnection]
STORES: list[Store] = []
"""Of the ends that a test has opened, near and far in turn."""


def memory_descriptors() -> list[str]:
    links = (f"/proc/self/fd/{entry.name}" for entry in Path("/proc/self/fd").iterdir())
    return [link for link in links if os.path.lexists(link) and "triort-part" in os.readlink(link)]


def open_ends() -> Ends:
    near, far = socket.socketpair()
    STORES.extend((Store(), Store()))
    return SocketConnection(near, "far", store=STORES[-2]), SocketConnection(far, "near", store=STORES[-1])


def loan_frame(size: int) -> bytes:
    header = msgspec.msgpack.encode([m.Loan(size)])
    return PREFIX.pack(4 + len(header), len(header)) + header


def lend_by_hand(sock: socket.socket, frame: bytes, *fds: int) -> None:
    sock.sendmsg([frame], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
