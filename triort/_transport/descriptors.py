"""Descriptors of shared memory beside the bytes of a Unix socket (SCM_RIGHTS).

A descriptor goes with the first byte of what it is sent with, and the kernel reads no further than that in one receive.
So one comes at a time. Two at once are a fault of the peer, which the parser finds; and if there is none where one was
sent, this process can open no more, and the link is of no use.
"""

import array
import errno
import os
import socket

from triort._wire.frames import Buffer
from triort._wire.shared import Shared

_SIZE = array.array("i").itemsize
_ROOM_FOR_TWO = socket.CMSG_LEN(2 * _SIZE)
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_CUT_OFF = int(socket.MSG_CTRUNC)
_NOT_LENT = frozenset({errno.ETOOMANYREFS, errno.EPERM, errno.EINVAL})


def send_loan(sock: socket.socket, buffers: list[Buffer], loan: Shared) -> int | None:
    """Send the bytes with the descriptor, as far as that goes; None if the system does not pass it on, and might well
    pass on bytes. Raises `OSError`, also `BlockingIOError`."""
    rights = array.array("i", [loan.fileno()])
    try:
        return sock.sendmsg(buffers, [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    except OSError as error:
        if error.errno in _NOT_LENT:
            return None
        raise


def receive_with_loans(sock: socket.socket, size_max: int, room: memoryview) -> tuple[bytes, list[Shared]]:
    """What has come, and what was lent with it, to be verified; programs started from here do not inherit it. What fits
    into ``room`` is read there and copied. Raises `OSError`, also `BlockingIOError`."""
    if size_max > len(room):
        data, ancillary, flags, _ = sock.recvmsg(size_max, _ROOM_FOR_TWO, _CLOSE_ON_EXEC)
    else:
        size, ancillary, flags, _ = sock.recvmsg_into([room[:size_max]], _ROOM_FOR_TWO, _CLOSE_ON_EXEC)
        data = bytes(room[:size])
    lent: list[Shared] = []
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            lent += [Shared(fd, 0) for fd in array.array("i", content[: len(content) // _SIZE * _SIZE])]
    if flags & _CUT_OFF and len(lent) < 2:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    return data, lent
