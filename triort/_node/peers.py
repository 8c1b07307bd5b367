"""Who is at the other end of a Unix socket: one of this user's processes, held by a pidfd."""

import errno
import os
import select
import socket
import struct

from triort._model.errors import ProtocolError

_CREDENTIALS = struct.Struct("3i")
_GONE = select.POLLHUP | select.POLLERR


def pin_peer(sock: socket.socket) -> tuple[int, int]:
    """Pid and pidfd of the process that has connected, or of the one that listened, which must run as this user.

    Race: the process may end, and its pid may go to another one, before the pidfd is there. So the socket is asked
    afterwards: while the other end is open, the pid has not been given away. (A child that inherited the socket from a
    process that ended could deceive us; ours inherit nothing.) The caller closes the pidfd.

    Raises `ProtocolError` for a stranger, `BrokenPipeError` when nobody is there any more.
    """
    pid, uid, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    if uid != os.geteuid():
        raise ProtocolError(f"process {pid} belongs to user {uid}; this one serves user {os.geteuid()} alone")
    if pid <= 0:
        raise ProtocolError("the process at the other end lives in another pid namespace; use the same one")
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        raise BrokenPipeError(errno.EPIPE, f"process {pid} has ended") from None
    poll = select.poll()
    poll.register(sock, 0)
    if any(events & _GONE for _, events in poll.poll(0)):
        os.close(pidfd)
        raise BrokenPipeError(errno.EPIPE, f"process {pid} has hung up")
    return pid, pidfd
