"""The Server: the root of the node tree. It accepts clients and owns their jobs; embedded, it also has workers."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

import trio

from triort._core.links import Loss, Send
from triort._core.node_core import Direction
from triort._core.pulse import Role
from triort._core.server_core import ServerCore
from triort._model.errors import ProtocolError, StartupError
from triort._model.ids import JobId
from triort._model.limits import NAME_CHARS_MAX
from triort._model.messages import Crashed, DrainReply, JobRefused, Log, Print, StatusReply, SystemError_
from triort._model.roles import Badge
from triort._model.text import readable
from triort._node.arrivals import Arrival
from triort._node.checks import check_memory_limit, check_num_workers, check_port
from triort._node.defaults import DEFAULT_SERVER_PORT
from triort._node.handshake import refuse, welcome
from triort._node.hiring import let_join
from triort._node.journal import Journal, JournalError
from triort._node.machine import AccessPath, Listener
from triort._node.memory import total_memory
from triort._node.readers import Readers
from triort._node.refusals import Refusals
from triort._node.server_base import ServerBase
from triort._node.sessions import keep
from triort._transport.connection import Connection
from triort._transport.outgoing import cost_of

_ANSWERS = (StatusReply, DrainReply, JobRefused)
STUCK = "this client reads nothing of what it is told"
TOO_LATE = "this client was not to be heard for too long, and its jobs have been ended; open another one"


class Server(ServerBase, ServerCore):
    """The root node: clients connect to it, and it connects to the managers at ``ipports``.

    The constructor only keeps its arguments; `run` does the rest and raises `StartupError` when the start fails.

    Args:
        ipports: the addresses and ports of the managers to connect to; empty if managers will join by themselves; None
            for a server with workers of its own.
        port: where clients connect; 0 picks a free one, None listens on nothing (embedded clusters).
        host: the address to listen on.
        access: the server's access file, or a folder that has it; None: as ``TRIORT_ACCESS`` says, or the user's
            default folder. Where there are none at all, the files of a new cluster are made.
        num_workers: without ``ipports``: how many workers to spawn; -1: one for each CPU that may be used.
        name: how this node is called in logs and errors.
        blas_threads: threads that numeric libraries may use in spawned workers; None leaves it to them.
        cpus: pin the spawned workers to these CPUs, one each, in turn.
        journal: a file in which jobs and outcomes are on disk before any client hears of them; a server that is started
            with the same file takes up its jobs. None keeps them in memory.
        memory_limit: how many bytes each worker may have in memory before it is killed and its task ends with
            `OutOfMemory`; None: its share of 95% of what this machine or control group has; 0: any.
    """

    def __init__(
        self,
        ipports: Sequence[tuple[str, int]] | None,
        port: int | None = DEFAULT_SERVER_PORT,
        *,
        host: str = "127.0.0.1",
        access: AccessPath | None = None,
        num_workers: int = -1,
        name: str = "server",
        blas_threads: int | None = 1,
        cpus: Sequence[int] | None = None,
        journal: str | os.PathLike[str] | None = None,
        memory_limit: int | None = None,
    ) -> None:
        super().__init__(name[:NAME_CHARS_MAX], host, Badge.SERVER, access)
        self.ipports = None if ipports is None else list(ipports)
        self.port = None if port is None else check_port(port)
        self.num_workers = check_num_workers(num_workers)
        self.blas_threads = blas_threads
        self.cpus = None if cpus is None else list(cpus)
        self.journal_path = None if journal is None else os.fspath(journal)
        self.journal: Journal | None = None
        if port is not None:  # else its clients are in this very process
            self.jobs.held.limit = total_memory()
        self.readers = Readers()
        self.node_errors = Refusals(self.logger)
        self.memory_limit = check_memory_limit(memory_limit)
        self.on_listening: Callable[[Server], None] | None = None
        """Called when all managers have started and this server listens: ``port`` is the real one then."""

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Main loop: connect to the managers (or spawn workers), then serve clients until cancelled or shut down.

        ``task_status`` is told when clients may come. A cancel ends all jobs and everything below.
        """
        async with self.open_node():
            stored = await self._open_journal()
            listeners: Sequence[Listener] = [] if self.port is None else await self.machine.listen(self.host, self.port)
            try:
                if self.ipports:
                    await self.connect_to_managers(self.ipports)
                elif self.ipports is None:
                    await self.spawn_workers(self.num_workers)
                self.ends_all = True
                if self.journal is not None:
                    self.sel.put_nowait(self._take_up, stored)
                for listener in listeners:
                    self.start_soon(self.accept, listener, self._welcome, ("client", "employee"))
                self.sel.put_nowait(self.announce, listeners)  # behind the employees, who are in there, too
                task_status.started()
                await self.ended.wait()
            finally:
                for listener in listeners:
                    listener.close()

    async def _open_journal(self) -> list[tuple[JobId, bytes]]:
        """Open the journal, if there is to be one; returns what is in it. Raises `StartupError`."""
        if self.journal_path is None:
            return []
        store = await self.machine.open_journal(self.journal_path)
        self.journal = Journal(store, self._on_commit, self._on_journal_failure)
        self.start_soon(self.journal.run)  # from now on it closes the store
        try:
            return await store.load()
        except JournalError as exc:
            raise StartupError(f"the journal cannot be read: {exc}") from None

    def announce(self, listeners: Sequence[Listener]) -> None:
        """Tell where this server listens."""
        if listeners:
            self.port = listeners[0].port
        if self.on_listening is not None:
            self.on_listening(self)

    async def _welcome(self, arrival: Arrival) -> None:
        conn, hello = arrival
        if hello.role == "employee":
            let_join(self, conn, hello)
            return
        if hello.client in self.jobs.leases.given_up:
            refuse(conn, TOO_LATE)
        welcome(conn, self.name, journal=self.journal is not None)
        self.logger.info("client %s has connected from %s", hello.name, conn.name)
        link = self.sessions.accepted(self.machine, Role.SERVER, conn, hello)
        self.readers.watch(link)
        self.adopt_client(link, hello.client)

    def adopt_client(self, conn: Connection, token: int = 0) -> None:
        """Serve a client that has been let in; ``token`` is its own number, whatever link it comes over."""
        self.sel.put_nowait(self._admit, conn, token)
        self.start_soon(keep, conn)
        self.serve(conn, Direction.CLIENT, [])

    # -- in a step ---------------------------------------------------------------------------------------------

    def _admit(self, conn: Connection, token: int) -> None:
        """A client has come. A link that it had before is over, and so is this one if it comes too late."""
        if token in self.jobs.leases.given_up:  # since its HELLO
            self.break_off(conn, TOO_LATE)
            return
        for old in [old for old in self.conns if token and self.jobs.requests.tokens.get(old) == token]:
            self.break_off(old, "its client has come over another link")
        self.add_client(conn, token)

    def flush(self) -> list[Send]:
        """Pack what this batch of events has caused, and have written down what is to be. A server that is about to end
        writes nothing more: its jobs are as they were when the next one takes them up."""
        sends = super().flush()
        if self.journal is not None and self.jobs.ledger is not None and self.running:
            self.journal.put_nowait(*self.jobs.ledger.take_writes())
        told: dict[Any, tuple[int, int]] = {}
        for conn, message, parts in sends:
            if self.readers.is_watched(conn):
                size, answers = told.get(conn, (0, 0))
                size += cost_of((message, parts, sum(map(len, parts))))
                told[conn] = size, answers + isinstance(message, _ANSWERS)
        for conn, (size, answers) in told.items():
            if self.readers.is_stuck(conn, size, self.now, answers):
                self.sel.put_nowait(self._give_up, conn)
        return sends

    def _give_up(self, conn: Connection) -> None:
        self.refusals.note(self.name, f"the link to {conn.name} ends: {STUCK}")
        self.break_off(conn, STUCK)

    def handle_disconnect(self, conn: object, blame: Loss | None = None, reason: str = "") -> None:
        """Remove ``conn`` from the server."""
        self.readers.forget(conn)  # type: ignore[arg-type]
        super().handle_disconnect(conn, blame, reason)

    def _take_up(self, stored: list[tuple[JobId, bytes]]) -> None:
        """Go on with the jobs of the journal, before the first client comes."""
        try:
            self.open_ledger(self.machine.time_of_day_s(), stored)
        except ProtocolError as exc:
            self.fail(f"the journal {self.journal_path} cannot be used: {exc}")
            return
        if self.jobs.jobs:
            self.logger.info("%s: %d jobs go on from the journal", self.name, len(self.jobs.jobs))

    def _on_commit(self, number: int) -> None:
        self.sel.put_nowait(self.handle_committed, number)

    def _on_journal_failure(self, reason: str) -> None:
        self.logger.error("%s takes no more jobs: its journal has failed: %s", self.name, reason)
        self.sel.put_nowait(self.handle_journal_failure, reason)

    def hear(self, msg: Print | Log | SystemError_ | Crashed, payload: Sequence[bytes] = ()) -> None:
        """Pass on what a job has said to its client; errors of nodes go to the log."""
        if isinstance(msg, SystemError_):
            self.node_errors.note(f"node {readable(msg.node)}", msg.text, logging.ERROR)
        super().hear(msg, payload)
