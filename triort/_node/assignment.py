"""What a boss and its template say to each other, and what a worker is told at its birth.

Each message is one packet of a SOCK_SEQPACKET pair. `Spawn` carries three fds, the worker's end of its link, its page
and its stderr; `Spawned` carries the worker's pidfd. For one worker the order is always Spawned, Exited, or else Failed
alone.
"""

import array
import socket

import msgspec

from triort._model.limits import CONTROL_BYTES_MAX

WORKER_ENTRY = "triort._node.worker_entry:run_worker"


class WorkerAssignment(msgspec.Struct, frozen=True, array_like=True):
    """Who a worker is. The template has applied ``sys_path``, ``cwd`` and ``cpus`` before the entry is called."""

    node_id: int
    name: str
    sys_path: list[str]
    cwd: str
    cpus: list[int] | None
    log_level: int
    link_fd: int = -1
    """The worker's end of a blocking stream socketpair to its boss; owned by the entry."""
    page_fd: int = -1
    """For `SharedPage.from_fd`; owned by the entry."""


class _Control(msgspec.Struct, frozen=True, array_like=True):
    """Base of the messages on the control socket."""


class Spawn(_Control, frozen=True, tag=1):
    """Fork a worker that calls ``entry`` ("module:function") with the assignment."""

    assignment: WorkerAssignment
    entry: str


class Kill(_Control, frozen=True, tag=2):
    """SIGKILL to the process group of a worker; ignored when it has ended."""

    node_id: int


class Ready(_Control, frozen=True, tag=10):
    """All is imported."""

    pid: int


class Spawned(_Control, frozen=True, tag=11):
    """The worker exists."""

    node_id: int
    pid: int


class Failed(_Control, frozen=True, tag=12):
    """It does not and will not."""

    node_id: int
    text: str


class Exited(_Control, frozen=True, tag=13):
    """The worker has ended and so has its process group; ``memory_bytes`` is the most it (or a child that it has
    waited for) ever had in memory."""

    node_id: int
    pid: int
    exit_code: int | None
    signal: int | None
    memory_bytes: int


Command = Spawn | Kill
Report = Ready | Spawned | Failed | Exited


def receive_packet(sock: socket.socket, fds_max: int) -> tuple[bytes, list[int]]:
    """One packet with its fds, which programs started from here do not inherit; empty at EOF.

    `socket.recv_fds` takes flags and was seen to ignore them (3.11), and to set the flag later is too late when another
    thread starts a program in between.
    """
    room = socket.CMSG_SPACE(fds_max * array.array("i").itemsize)
    data, ancillary, _, _ = sock.recvmsg(CONTROL_BYTES_MAX, room, socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    return data, list(fds)
