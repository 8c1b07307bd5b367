"""The Server: the root of the node tree. It accepts clients and owns their jobs; embedded, it also has workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from triort._core.links import Loss
from triort._core.node_core import Direction
from triort._core.server_core import ServerCore
from triort._model.limits import NAME_CHARS_MAX
from triort._model.messages import Hello, Log, Print, SystemError_
from triort._node.checks import check_num_workers, check_port
from triort._node.handshake import welcome
from triort._node.machine import Listener
from triort._node.server_base import DEFAULT_SERVER_PORT, ServerBase
from triort._transport.connection import Connection


class Server(ServerBase, ServerCore):
    """The root node: clients connect to it, and it connects to the managers at ``ipports``.

    The constructor only keeps its arguments; `run` does the rest and raises `StartupError` when the start fails.

    Args:
        ipports: the addresses and ports of the managers to connect to; None for a server with workers of its own.
        port: where clients connect; 0 picks a free one, None listens on nothing (embedded clusters).
        host: the address to listen on; loopback only, until there is TLS.
        num_workers: without ``ipports``: how many workers to spawn; -1: one for each CPU that may be used.
        name: how this node is called in logs and errors.
        blas_threads: threads that numeric libraries may use in spawned workers; None leaves it to them.
        cpus: pin the spawned workers to these CPUs, one each, in turn.
    """

    def __init__(
        self,
        ipports: Sequence[tuple[str, int]] | None,
        port: int | None = DEFAULT_SERVER_PORT,
        *,
        host: str = "127.0.0.1",
        num_workers: int = -1,
        name: str = "server",
        blas_threads: int | None = 1,
        cpus: Sequence[int] | None = None,
    ) -> None:
        super().__init__(name[:NAME_CHARS_MAX], host)
        self.ipports = None if ipports is None else list(ipports)
        self.port = None if port is None else check_port(port)
        self.num_workers = check_num_workers(num_workers)
        self.blas_threads = blas_threads
        self.cpus = None if cpus is None else list(cpus)
        self.on_listening: Callable[[Server], None] | None = None
        """Called when all managers have started and this server listens: ``port`` is the real one then."""

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Main loop: connect to the managers (or spawn workers), then serve clients until cancelled or shut down.

        ``task_status`` is told when clients may come. A cancel ends all jobs and everything below.
        """
        async with self.open_node():
            listeners: Sequence[Listener] = [] if self.port is None else await self.machine.listen(self.host, self.port)
            try:
                if self.ipports is not None:
                    await self.connect_to_managers(self.ipports)
                else:
                    await self.spawn_workers(self.num_workers)
                for listener in listeners:
                    self.start_soon(self.accept, listener, ("client",), self._welcome_client)
                self.sel.put_nowait(self.announce, listeners)  # behind the employees, who are in there, too
                task_status.started()
                await self.wait_ended()
            finally:
                for listener in listeners:
                    listener.close()

    def announce(self, listeners: Sequence[Listener]) -> None:
        """Tell where this server listens."""
        if listeners:
            self.port = listeners[0].port
        if self.on_listening is not None:
            self.on_listening(self)

    async def _welcome_client(self, arrival: tuple[Connection, Hello]) -> None:
        conn, hello = arrival
        welcome(conn, self.name)
        self.logger.info("client %s has connected from %s", ascii(hello.name[:NAME_CHARS_MAX]), conn.name)
        self.adopt_client(conn)

    def adopt_client(self, conn: Connection) -> None:
        """Serve a client that has been let in."""
        self.start_soon(self.serve_link, conn, Direction.CLIENT, [])

    # -- in the scheduler task -----------------------------------------------------------------------------------

    def handle_disconnect(self, conn: object, blame: Loss | None = None) -> None:
        """Remove ``conn`` from the server, which ends when it has lost the last of its managers."""
        super().handle_disconnect(conn, blame)
        if self.running and not self.employees and self.ipports is not None:
            self.fail(f"{self.name} has lost all of its managers")

    def hear(self, msg: Print | Log | SystemError_) -> None:
        """Pass on what a job has said to its client; errors of nodes go to the log."""
        if isinstance(msg, SystemError_):
            self.logger.error("node %s: %s", ascii(msg.node), ascii(msg.text))
        super().hear(msg)
