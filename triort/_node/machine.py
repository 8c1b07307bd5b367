"""What a node stands on: the machine's links, its worker processes, its clock and its dice.

`OwnMachine` is the real one. The simulation gives its nodes others, and nothing else of them is replaced.
"""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

import attrs
import trio

from triort._model.roles import Badge
from triort._node.journal import JournalStore
from triort._node.spawned import WorkerExit
from triort._node.spawning import open_template
from triort._node.template_start import EarlyTemplate
from triort._transport.connection import Connection, RawConnection
from triort._transport.tcp import accept_tcp, close_listener, dial_tcp, dial_tcp_once, listen_tcp
from triort._wire.shared import Store

if TYPE_CHECKING:
    from triort._access.access import Access

Retry = Callable[[int, str], None]
AccessPath = str | os.PathLike[str]


class Words(Protocol):
    """The fields of a worker's page, by number (see `page`)."""

    def __getitem__(self, number: int, /) -> int: ...

    def __setitem__(self, number: int, value: int, /) -> None: ...


class Page(Protocol):
    """What a boss and its worker share beside their link."""

    @property
    def words(self) -> Words:
        """All fields."""

    def say(self, text: str) -> None:
        """Keep the end of what a task has written to its stderr."""


class WorkerProcess(Protocol):
    """A worker process as its boss holds it, whoever has started it."""

    node_id: int
    name: str
    pid: int
    replaced_here: bool
    """Whether this node starts another one when it dies."""

    @property
    def page(self) -> Page:
        """What it publishes while it is busy."""

    def poke(self) -> None:
        """Have it look at its mail, also in the middle of a task; nothing happens if it has ended."""

    def kill(self) -> None:
        """End it at once; nothing happens if it has ended."""

    def memory_bytes(self) -> int:
        """What it has in memory now; 0 if that cannot be known."""

    def last_words(self) -> str:
        """The last that it, or a task of it, has written to stderr, as far as that is known here."""

    async def wait_ended(self) -> None:
        """Wait until the process has ended. One task may wait; raises `trio.ClosedResourceError` after `close`."""

    def close(self) -> None:
        """Free what is held of it; idempotent."""


class SpawnedProcess(WorkerProcess, Protocol):
    """A worker process that this node has started: the link to it is there from the beginning."""

    def open_link(self, store: Store | None) -> Connection:
        """The boss's end of the link; ``store`` is where it puts large parts."""


class Template(Protocol):
    """Starts worker processes and tells of their ends."""

    async def spawn(
        self, node_id: int, *, name: str = "", cwd: str = "", cpus: Sequence[int] | None = None
    ) -> SpawnedProcess:
        """Start a worker; raises `StartupError`. A cancel leaves none behind."""

    async def receive_exit(self) -> WorkerExit:
        """Wait for the next end of a worker; raises `ConnectionLost` when the template itself has ended."""


class Listener(Protocol):
    """Where others connect to this node."""

    @property
    def port(self) -> int:
        """The port, also where any free one was asked for."""

    async def accept(self, make_room: Callable[[], object]) -> RawConnection:
        """Wait for the next connection; calls ``make_room`` when descriptors have run out. Raises
        `trio.ClosedResourceError` once this is closed, `AccessError` when this node's own access has ended."""

    def close(self) -> None:
        """Stop listening; idempotent."""


class Basis(Protocol):
    """What a client needs, too: a clock, and dice."""

    def choose(self, name: str, n: int) -> int:
        """Draw from ``range(n)``; the name is the same for the same kind of decision."""

    def now(self) -> float:
        """The node's clock, in seconds."""

    def deadline(self, when: float) -> float:
        """What the node's clock calls ``when``, on trio's clock."""

    async def wait_for(self, news: trio.Event, until: float, *, idly: bool) -> None:
        """Wait for the event, until that time on trio's clock; ``idly``: for a routine that is no work in itself."""


class Machine(Basis, Protocol):
    """What a node needs of the machine that it runs on."""

    @property
    def pid(self) -> int:
        """The number of the node's process."""

    @property
    def store(self) -> Store | None:
        """Where large parts are put that other processes of this machine are to see."""

    def page_clock_s(self) -> float:
        """The clock in which workers publish their deadlines."""

    async def dial(self, host: str, port: int, *, timeout_s: float, on_retry: Retry | None = None) -> RawConnection:
        """Connect, again and again for ``timeout_s``; raises `StartupError` with the address."""

    async def dial_once(self, host: str, port: int) -> RawConnection:
        """Connect, in one attempt; raises `OSError`, and `ConnectionRefusedError` where nobody listens."""

    async def wait_to_dial(self, host: str, port: int, wait_s: float) -> None:
        """Wait before dialling somebody again who was not there: so long, or longer if he is known to be away."""

    async def listen(self, host: str, port: int) -> Sequence[Listener]:
        """Listen at each address of ``host``; raises `StartupError`, `UsageError`."""

    def time_of_day_s(self) -> float:
        """A clock that goes on over restarts, for what a server writes into its journal."""

    async def open_journal(self, path: str) -> JournalStore:
        """The journal at ``path``, a new one if there is none; raises `StartupError`. One server has it at a time."""

    def open_template(self, *, blas_threads: int | None, name: str) -> AbstractAsyncContextManager[Template]:
        """What starts this node's workers; leaving the context ends those that are left."""


@attrs.frozen
class TcpListener:
    """A listening socket, and what peers have to show there."""

    sock: socket.socket
    access: Access

    @property
    def port(self) -> int:
        """The real port."""
        return int(self.sock.getsockname()[1])

    async def accept(self, make_room: Callable[[], object]) -> RawConnection:
        """Wait for the next connection; see `accept_tcp`."""
        return await accept_tcp(self.sock, self.access, make_room=make_room)

    def close(self) -> None:
        """Stop listening; idempotent."""
        close_listener(self.sock)


class OwnMachine:
    """The machine that this process runs on; with ``badge`` and ``access`` it dials and listens, if it does."""

    def __init__(self, badge: Badge | None = None, access: AccessPath | None = None) -> None:
        self.pid = os.getpid()
        self.early: EarlyTemplate | None = None
        """A template that has begun before this node, with what its workers are to have."""
        self.store = Store()
        self._random = random.Random(os.urandom(16))
        self._badge = badge
        self._named = access
        self._access: Access | None = None

    @property
    def access(self) -> Access:
        """The access file of this process; nothing is read or made before it is needed."""
        if self._access is None:
            from triort._access.access import Access

            assert self._badge is not None, "nothing is dialled or listened on here"
            self._access = Access(self._badge, self._named)
        return self._access

    def choose(self, name: str, n: int) -> int:
        """Draw from ``range(n)``."""
        return self._random.randrange(n)

    def now(self) -> float:
        """Trio's clock."""
        return trio.current_time()

    def deadline(self, when: float) -> float:
        """The same."""
        return when

    def page_clock_s(self) -> float:
        """The monotonic clock, which all processes here share."""
        return time.perf_counter()

    async def wait_for(self, news: trio.Event, until: float, *, idly: bool) -> None:
        """Wait for the event, until that time."""
        with trio.CancelScope(deadline=until):
            await news.wait()

    async def dial(self, host: str, port: int, *, timeout_s: float, on_retry: Retry | None = None) -> RawConnection:
        """Connect over TCP, with TLS."""
        return await dial_tcp(host, port, self.access, timeout_s=timeout_s, on_retry=on_retry)

    async def dial_once(self, host: str, port: int) -> RawConnection:
        """Connect over TCP, with TLS, in one attempt."""
        return await dial_tcp_once(host, port, self.access)

    async def wait_to_dial(self, host: str, port: int, wait_s: float) -> None:
        """Sleep."""
        await trio.sleep(wait_s)

    async def listen(self, host: str, port: int) -> Sequence[TcpListener]:
        """Listen on TCP, for TLS."""
        return [TcpListener(sock, self.access) for sock in await listen_tcp(host, port, self.access)]

    def time_of_day_s(self) -> float:
        """Seconds since 1970."""
        return time.time()

    async def open_journal(self, path: str) -> JournalStore:
        """An SQLite database."""
        from triort._node.sqlite_journal import open_sqlite_journal

        return await open_sqlite_journal(path)

    def open_template(self, *, blas_threads: int | None, name: str) -> AbstractAsyncContextManager[Template]:
        """A process that forks workers."""
        return open_template(blas_threads=blas_threads, name=name, early=self.early)
