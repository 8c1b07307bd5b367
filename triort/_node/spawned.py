"""Workers as their boss holds them: asked for, alive, ended."""

import os
import select
import signal
import socket
from contextlib import ExitStack, closing, suppress

import attrs
import trio

from triort._node.last_words import LastWords, last_lines
from triort._node.memory import memory_of
from triort._node.page import SharedPage
from triort._transport.sockets import SocketConnection
from triort._wire.shared import Store


@attrs.frozen
class WorkerExit:
    """How a worker ended: by ``exit_code`` or by ``signal``; ``memory_bytes`` is the most that it had in memory. What
    only its parent can know is None where that is somebody else."""

    node_id: int
    pid: int
    exit_code: int | None
    signal: int | None
    memory_bytes: int | None


def send_signal(pidfd: int, number: signal.Signals) -> None:
    """Signal the process behind a pidfd; nothing happens if that is closed (-1) or the process has ended."""
    if pidfd >= 0:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, number)


@attrs.frozen(eq=False)
class Ends:
    """Both ends of what connects a boss with its worker; made by `open_ends`."""

    sock: socket.socket
    page: SharedPage
    errors: LastWords
    their_sock: socket.socket
    their_errors: int

    @property
    def theirs(self) -> tuple[int, int, int]:
        """The worker's ends: its link, its page, its stderr."""
        return self.their_sock.fileno(), self.page.fd, self.their_errors

    def drop_theirs(self) -> None:
        """The worker has them."""
        self.their_sock.close()
        os.close(self.their_errors)
        self.page.drop_fd()

    def close(self) -> None:
        """Nothing comes of it: close all."""
        self.drop_theirs()
        self.sock.close()
        self.page.close()
        self.errors.close()


def open_ends() -> Ends:
    """Make what a worker is to be connected by; raises `OSError`."""
    with ExitStack() as undo:
        ours, theirs = map(undo.enter_context, socket.socketpair())
        page = undo.enter_context(closing(SharedPage.create()))
        read, write = os.pipe()
        undo.pop_all()
    ours.setblocking(False)
    return Ends(ours, page, LastWords(read), theirs, write)


@attrs.define(eq=False)
class SpawnedWorker:
    """A worker process as its boss holds it. Closing it frees the fds and ends nothing but the link."""

    node_id: int
    name: str
    pid: int
    pidfd: int
    """Readable once the worker has ended; -1 after `close`."""
    ends: Ends
    _register: "dict[int, SpawnedWorker]"
    replaced_here: bool = True

    @property
    def sock(self) -> socket.socket:
        """The boss's end of the link, non-blocking."""
        return self.ends.sock

    @property
    def page(self) -> SharedPage:
        """What it publishes while it is busy."""
        return self.ends.page

    def poke(self) -> None:
        """Send SIGUSR1; nothing happens if the worker has ended."""
        self._signal(signal.SIGUSR1)

    def kill(self) -> None:
        """SIGKILL the worker. The template, which sees the end, kills its process group before it reports the exit."""
        self._signal(signal.SIGKILL)

    def open_link(self, store: Store | None = None) -> SocketConnection:
        """The boss's end of the link; ``store`` is where it puts large parts."""
        return SocketConnection(self.sock, self.name, store=store)

    def memory_bytes(self) -> int:
        """What it has in memory now; 0 if it has ended."""
        return memory_of(self.pid)

    def last_words(self) -> str:
        """The last that tasks have written to their stderr, and the process to its own."""
        return "\n".join(filter(None, [last_lines(self.page.said()), self.ends.errors.text()]))

    async def wait_ended(self) -> None:
        """Wait until the process has ended, reported or not."""
        await trio.lowlevel.wait_readable(self.pidfd)

    def has_ended(self) -> bool:
        """Whether the process has ended, reported or not. Not to be called after `close`."""
        if self.pidfd < 0:
            raise trio.ClosedResourceError(f"worker {self.node_id} was closed here; nothing is known about it")
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Close link, page and pidfd. Tasks that wait on them get `trio.ClosedResourceError`; a second call does
        nothing."""
        if self.pidfd < 0:
            return
        trio.lowlevel.notify_closing(self.sock)
        trio.lowlevel.notify_closing(self.pidfd)
        self.sock.close()
        os.close(self.pidfd)
        self.pidfd = -1
        self.page.close()
        self.ends.errors.close()
        if self._register.get(self.node_id) is self:
            del self._register[self.node_id]

    def _signal(self, number: signal.Signals) -> None:
        send_signal(self.pidfd, number)


@attrs.define(eq=False)
class SpawnRequest:
    """A `spawn` that has not returned yet, or was abandoned and whose worker has not ended yet."""

    answered: trio.Event = attrs.field(factory=trio.Event)
    pid: int = 0
    pidfd: int = -1
    error: str | None = None
    abandoned: bool = False
    exit: WorkerExit | None = None
    over: bool = False
    """Nothing more will be heard about it."""

    def fail(self, text: str) -> None:
        """Nothing comes of it."""
        self.error = text
        self.over = True
        self.answered.set()

    def discard(self) -> None:
        """Kill what was made for nobody."""
        self.abandoned = True
        if self.pidfd >= 0:
            try:
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            except ProcessLookupError:
                pass
            os.close(self.pidfd)
            self.pidfd = -1


@attrs.frozen(eq=False)
class Packet:
    """What is to be sent to a template: a command, fds that go with it, and whose request it is."""

    data: bytes
    fds: tuple[int, ...] = ()
    request: SpawnRequest | None = None
