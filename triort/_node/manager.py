"""The Manager: a middle node of the tree. It listens for its boss and manages workers, or managers below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import trio

from triort._core.links import Loss, Send
from triort._core.node_core import Direction
from triort._model.errors import StartupError
from triort._model.limits import NAME_CHARS_MAX
from triort._model.messages import Hello, Started, SystemError_
from triort._node.checks import check_memory_limit, check_num_workers, check_port, describe
from triort._node.handshake import welcome
from triort._node.machine import Listener
from triort._node.rendezvous import open_rendezvous
from triort._node.server_base import DEFAULT_MANAGER_PORT, DEFAULT_WORKER_PORT, ServerBase
from triort._transport.connection import Connection


class Manager(ServerBase):
    """A middle node in the process hierarchy, responsible for managing workers or other managers.

    Made in one of two ways: with ``ipports`` left out it manages workers, which it spawns (or, with ``only_connect``,
    waits for); with ``ipports`` it connects to the managers that listen there and spawns none.

    The constructor only keeps its arguments; `run` does the rest. If any problem arises during start-up, no recovery
    is attempted: `run` raises `StartupError`.

    Args:
        port: where this manager listens for its boss; 0 picks a free one.
        num_workers: how many workers to spawn or to wait for; -1: as many as the CPUs that this process may use.
            Ignored if ``ipports`` is given.
        ipports: the addresses and ports of running managers to connect to.
        worker_port: where this manager listens for workers that connect by themselves, on loopback; 0 picks a free
            port.
        only_connect: do not spawn workers, wait for them at ``worker_port``.
        host: the address to listen on; loopback only, until there is TLS.
        name: how this node is called in logs and errors; ``m`` and its port by default.
        blas_threads: threads that numeric libraries may use in spawned workers; None leaves it to them.
        cpus: pin the spawned workers to these CPUs, one each, in turn.
        memory_limit: how many bytes each worker may have in memory before it is killed and its task ends with
            `OutOfMemory`; None: its share of 95% of what this machine or control group has; 0: any.
    """

    def __init__(
        self,
        port: int = DEFAULT_MANAGER_PORT,
        num_workers: int = -1,
        ipports: Sequence[tuple[str, int]] | None = None,
        worker_port: int = DEFAULT_WORKER_PORT,
        only_connect: bool = False,
        *,
        host: str = "127.0.0.1",
        name: str | None = None,
        blas_threads: int | None = 1,
        cpus: Sequence[int] | None = None,
        memory_limit: int | None = None,
    ) -> None:
        super().__init__((name or f"m{port}")[:NAME_CHARS_MAX], host)
        self.port = check_port(port)
        self.num_workers = check_num_workers(num_workers)
        self.ipports = None if ipports is None else list(ipports)
        self.worker_port = check_port(worker_port)
        self.only_connect = only_connect
        self.blas_threads = blas_threads
        self.cpus = None if cpus is None else list(cpus)
        self.memory_limit = check_memory_limit(memory_limit)
        self.on_listening: Callable[[Manager], None] | None = None
        """Called when this manager listens: ``port`` is the real one then."""
        self._named = name is not None

    async def run(self) -> None:
        """Main loop: listen for the boss, start what is below, serve until the boss says shutdown or is gone.

        Raises `StartupError` when the start fails and `ConnectionLost` when the node cannot go on. A cancel ends
        everything below.
        """
        async with self.open_node():
            if self.only_connect and self.ipports is None:
                self.rendezvous = await open_rendezvous(self, self.worker_port)
                self.worker_port = self.rendezvous.port
            conn, hello = await self.listen_once(self.host, self.port)
            self.lower_id_bound, self.upper_id_bound = hello.lower_id, hello.upper_id
            welcome(conn, self.name, hello.lower_id)
            try:
                await self._start_under(conn)
            except BaseException as exc:
                self.send_last(conn, SystemError_(self.name, describe(exc)))
                conn.close()
                raise
            self.sel.put_nowait(self._report_start, conn, hello)
            self.start_soon(self.serve_link, conn, Direction.ABOVE, [])
            await self.wait_ended()

    async def _start_under(self, conn: Connection) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_boss, conn)
            await self._start_employees()
            nursery.cancel_scope.cancel()

    async def _watch_boss(self, conn: Connection) -> None:
        """Until this node has started, its boss has nothing to say but that it ends."""
        with suppress(trio.EndOfChannel, trio.BrokenResourceError):
            await conn.receive()
        raise StartupError(f"{self.name}: the boss has gone before all below had started")

    async def _start_employees(self) -> None:
        if self.ipports is not None:
            await self.connect_to_managers(self.ipports)
        elif self.only_connect:
            await self.connect_to_workers(self.num_workers, self.worker_port)
        else:
            await self.spawn_workers(self.num_workers, self.worker_port)

    def _report_start(self, conn: Connection, hello: Hello) -> None:
        self.set_boss(conn, hello.name, hello.lower_id, hello.upper_id)
        self.outbox.append(Send(conn, Started(self.total_workers, self.name, self.pid), ()))

    def handle_disconnect(self, conn: object, blame: Loss | None = None) -> None:
        """Remove ``conn`` from the node; without its boss a manager has nothing to do and ends."""
        was_boss = self.boss is not None and self.boss.conn is conn
        super().handle_disconnect(conn, blame)
        if was_boss and self.running:
            self.logger.warning("%s: the boss is gone; this manager ends", self.name)
            self.handle_shutdown()
        if self.running and self.ipports is not None and not self.employees:
            self.fail(f"{self.name} has lost all of its managers")

    def announce(self, listeners: Sequence[Listener]) -> None:
        """Tell where this manager listens."""
        self.port = listeners[0].port
        if not self._named:
            self.name = f"m{self.port}"
        if self.on_listening is not None:
            self.on_listening(self)
