"""The Manager: a middle node of the tree. It listens for its boss and manages workers, or managers below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import trio

from triort._core.links import Loss, Send
from triort._core.node_core import Direction
from triort._model.errors import ConnectionLost, ProtocolError, StartupError
from triort._model.limits import NAME_CHARS_MAX
from triort._model.messages import Started, SystemError_
from triort._model.roles import Badge
from triort._node.arrivals import Arrival
from triort._node.bosses import Boss, BossDoor, join_boss
from triort._node.checks import check_memory_limit, check_num_workers, check_port, describe, single_error
from triort._node.defaults import DEFAULT_MANAGER_PORT, DEFAULT_WORKER_PORT
from triort._node.handshake import refuse
from triort._node.hiring import let_join, send_last
from triort._node.machine import AccessPath, Listener
from triort._node.rendezvous import open_rendezvous
from triort._node.server_base import ServerBase
from triort._node.sessions import is_healthy, keep
from triort._transport.connection import Connection


class _BossLostError(StartupError):
    """The boss has gone during a start: that says nothing about this node, which goes on."""


class Manager(ServerBase):
    """A middle node in the process hierarchy, responsible for managing workers or other managers.

    Made in one of two ways: with ``ipports`` left out it manages workers, which it spawns (or, with ``only_connect``,
    waits for); with ``ipports`` it connects to the managers that listen there and spawns none. More may join it.

    The constructor only keeps its arguments; `run` does the rest. If any problem arises during start-up, no recovery
    is attempted: `run` raises `StartupError`. Once it has started, nothing that happens to others ends it: it serves
    one boss after the other, each time as another *incarnation*, with empty books, fresh ids and fresh workers.

    Args:
        port: where this manager listens for its boss; 0 picks a free one.
        num_workers: how many workers to spawn or to wait for; -1: as many as the CPUs that this process may use.
            Ignored if ``ipports`` is given.
        ipports: the addresses and ports of running managers to connect to; empty if managers will join by themselves.
        worker_port: where this manager listens for workers that connect by themselves, on loopback; 0 picks a free
            port.
        only_connect: do not spawn workers, wait for them at ``worker_port``.
        host: the address to listen on.
        access: the node's access file, or a folder that has it; None: as ``TRIORT_ACCESS`` says, or the user's default
            folder. Where there are none at all, the files of a new cluster are made.
        name: how this node is called in logs and errors; ``m`` and its port by default.
        blas_threads: threads that numeric libraries may use in spawned workers; None leaves it to them.
        cpus: pin the spawned workers to these CPUs, one each, in turn.
        memory_limit: how many bytes each worker may have in memory before it is killed and its task ends with
            `OutOfMemory`; None: its share of 95% of what this machine or control group has; 0: any.
        join: the address and port of a server or manager to join, instead of waiting for a boss at ``port``; managers
            may still join this one there.
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
        access: AccessPath | None = None,
        name: str | None = None,
        blas_threads: int | None = 1,
        cpus: Sequence[int] | None = None,
        memory_limit: int | None = None,
        join: tuple[str, int] | None = None,
    ) -> None:
        super().__init__((name or f"m{port}")[:NAME_CHARS_MAX], host, Badge.NODE, access)
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
        self.join = join
        self._named = name is not None
        self._door = BossDoor(self, self._leave_boss)
        self._boss_conn: Connection | None = None
        self._has_started = False
        self._is_over = False

    async def run(self) -> None:
        """Main loop: listen, and serve one boss after the other, each with fresh workers and fresh ids.

        Returns when the boss says shutdown, and when this node was drained. A boss that is lost ends all work below,
        and the next one is waited for.
        Raises `StartupError` when the first start fails (but not because the boss is lost), and `ConnectionLost` when
        the node fails before it is through. A cancel ends everything below.
        """
        with single_error():
            async with trio.open_nursery() as nursery:
                if self.only_connect and self.ipports is None:
                    self.rendezvous = await open_rendezvous(self, self.worker_port, nursery)
                    self.worker_port = self.rendezvous.port
                listeners = await self.machine.listen(self.host, self.port)
                try:
                    self.announce(listeners)
                    for listener in listeners:
                        nursery.start_soon(self.accept, listener, self._welcome, ("boss", "employee"))
                    while not self._is_over:
                        await self._serve(await self._next_boss())
                        if not self._is_over:
                            self.renew()
                finally:
                    self._door.close()
                    for listener in listeners:
                        listener.close()
                nursery.cancel_scope.cancel()

    async def _welcome(self, arrival: Arrival) -> None:
        conn, hello = arrival
        if hello.role == "employee":
            let_join(self, conn, hello)
        elif self.join is not None:
            refuse(conn, f"{self.name} has joined a boss by itself, and takes no other")
        else:
            self._door.arrive(conn, hello)

    async def _next_boss(self) -> Boss:
        if self.join is None:
            return await self._door.wait_next()
        return await join_boss(self, *self.join, listens_at=self.port, patient=self._has_started)

    def _leave_boss(self) -> bool:
        """Whether another boss may come: there is none, or it is not to be heard and is left now."""
        if self._boss_conn is None or not self.running:
            return True
        if is_healthy(self._boss_conn):
            return False
        self.sel.put_nowait(self._on_end, self._boss_conn, "another boss has come")
        return True

    async def _serve(self, boss: Boss) -> None:
        """One incarnation: from its start until its boss is lost, or says shutdown."""
        self.set_ids(boss.lower_id, boss.upper_id)
        self._boss_conn = boss.conn
        try:
            async with self.open_node():
                self.start_soon(keep, boss.conn)
                try:
                    await self._start_under(boss)
                except Exception as exc:
                    send_last(boss.conn, SystemError_(self.name, describe(exc)))
                    boss.conn.close()
                    raise
                self._has_started = self.ends_all = True
                self.sel.put_nowait(self._report_start, boss)
                self.serve(boss.conn, Direction.ABOVE, boss.mail)
                await self.ended.wait()
        except (StartupError, ConnectionLost) as exc:
            if not (self._has_started or isinstance(exc, _BossLostError)):
                raise
            self.logger.warning("%s: %s", self.name, exc)
        finally:
            boss.conn.close()
            self._boss_conn = None

    async def _start_under(self, boss: Boss) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_boss, boss)
            await self._start_employees()
            nursery.cancel_scope.cancel()

    async def _watch_boss(self, boss: Boss) -> None:
        """Until this node has started, its boss has nothing to say but that it ends."""
        with suppress(trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError, ProtocolError):
            if not boss.mail:
                await boss.conn.receive()
        raise _BossLostError("the boss has gone before all below had started; the next one is waited for")

    async def _start_employees(self) -> None:
        """The first start is all or nothing. A later one does not wait for managers, of which some may be gone."""
        if self.ipports and self._has_started:
            self.connect_in_background(self.ipports)
        elif self.ipports:
            await self.connect_to_managers(self.ipports)
        elif self.ipports is not None:
            return
        elif self.only_connect:
            await self.connect_to_workers(self.num_workers, self.worker_port)
        else:
            await self.spawn_workers(self.num_workers, self.worker_port)

    def _report_start(self, boss: Boss) -> None:
        self.set_boss(boss.conn, boss.name, boss.lower_id, boss.upper_id)
        self.outbox.append(Send(boss.conn, Started(self.total_workers, self.name, self.pid), ()))

    def fail(self, reason: str) -> None:
        """Something happened that this incarnation cannot run on with."""
        if not self._has_started:
            super().fail(reason)
            return
        self._failure = self._failure or reason
        self.handle_system_error(reason)
        self._end_incarnation()

    def _end_incarnation(self) -> None:
        """End all below and wait for a boss again; the managers below do so, too."""
        self.ends_all = False
        self.running = False

    def handle_shutdown(self) -> None:
        """Tell all employees to end; the node ends when `running` is false."""
        self._is_over = True
        super().handle_shutdown()

    def handle_disconnect(self, conn: object, blame: Loss | None = None, reason: str = "") -> None:
        """Remove ``conn`` from the node; without its boss a manager ends all work below, and waits for a boss."""
        was_boss = self.boss is not None and self.boss.conn is conn
        super().handle_disconnect(conn, blame, reason)
        if was_boss and self.running and self.drains.is_leaving:
            self.handle_shutdown()
        elif was_boss and self.running:
            self.logger.warning("%s: the boss is gone; all work below ends, and the next boss is waited for", self.name)
            self._end_incarnation()

    def announce(self, listeners: Sequence[Listener]) -> None:
        """Tell where this manager listens."""
        self.port = listeners[0].port
        if not self._named:
            self.name = f"m{self.port}"
        if self.on_listening is not None:
            self.on_listening(self)
