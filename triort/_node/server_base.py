"""What manager and server share: a nursery around the books.

One task per connection reads, one writes what would have blocked. The books are touched in steps, one at a time: a step
has the core handle events from ``sel``, and sends what the core has left in its outbox. A message's way:

    connection ─ serve_link ─► sel ─► run_scheduler ─► NodeCore.handle_message ─► flush ─► connection

While the scheduler idles, who brings mail from a side that was quiet for a moment takes the step, and saves a turn.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio

from triort._core.hops import Owner
from triort._core.id_ranges import Range
from triort._core.links import Loss, Send
from triort._core.node_core import Direction, NodeCore
from triort._model.errors import ConnectionLost, ProtocolError, StartupError, UsageError
from triort._model.limits import SHUTDOWN_WORKERS_S
from triort._model.messages import Hello, Received
from triort._model.roles import Badge
from triort._node.arrivals import Lobby, Welcomer, first_arrival, serve_arrivals
from triort._node.checks import single_error
from triort._node.defaults import DEFAULT_WORKER_PORT, count_cpus
from triort._node.hiring import connect, connect_again, dismiss, let_go, replace_lost
from triort._node.inbox import Event, Inbox
from triort._node.machine import AccessPath, Listener, Machine, OwnMachine
from triort._node.refusals import Refusals
from triort._node.rendezvous import Rendezvous, gather_workers
from triort._node.sessions import Sessions, hang_up
from triort._node.worker_pool import WorkerPool
from triort._transport.connection import Connection


class ServerBase(NodeCore):
    """A node that manages employees: base of `Manager` and `Server`."""

    def __init__(self, name: str, host: str, badge: Badge, access: AccessPath | None) -> None:
        super().__init__(choose=lambda draw, n: self.machine.choose(draw, n))
        self.access = access
        self.machine: Machine = OwnMachine(badge, access)
        self.pid = self.machine.pid
        self.name = name
        self.host = host
        self.logger = logging.getLogger(f"triort.{self.kind}")
        self.rendezvous: Rendezvous | None = None
        self.sessions = Sessions()
        self.lobby = Lobby()
        self.refusals = Refusals(self.logger)
        self.blas_threads: int | None = 1
        self.cpus: list[int] | None = None
        self.memory_limit: int | None = None
        self.tasks_per_worker: int | None = None
        self.num_named: Counter[str] = Counter()
        """How many workers have had a name here, by its first letter; no name is used twice."""

    def renew(self, owner: Owner | None = None) -> None:
        """Begin with empty books, an empty inbox and no workers; only where nothing of this node runs."""
        super().renew(owner)
        self.sel = Inbox()
        self.pool: WorkerPool | None = None
        self.ends_all = False
        """Whether the managers below end with this incarnation, or (its start has failed) wait for a boss again."""
        self._nursery: trio.Nursery | None = None
        self.conns: dict[Connection, Direction] = {}
        self._failure: str | None = None
        self._is_in_step = False
        self.ended = trio.Event()
        """Set when the scheduler has ended: after a shutdown or a failure."""

    # -- growing the tree ----------------------------------------------------------------------------------------

    async def connect_to_managers(self, ipports: Sequence[tuple[str, int]]) -> None:
        """Connect to all managers at the endpoints in ``ipports``, each with its share of the ids, until all have
        started; raises `StartupError` with the address."""
        if not ipports:
            raise UsageError("a node needs the address of at least one manager")
        async with trio.open_nursery() as nursery:
            for (ip, port), (lower, upper) in zip(ipports, self._shares(len(ipports)), strict=True):
                nursery.start_soon(self.connect_to_manager, ip, port, lower, upper)

    def connect_in_background(self, ipports: Sequence[tuple[str, int]]) -> None:
        """The same without waiting: each is in the books once it has started, and dialled for as long as that takes."""
        for endpoint, ids in zip(ipports, self._shares(len(ipports)), strict=True):
            self.start_soon(connect_again, self, endpoint, ids)

    def _shares(self, count: int) -> list[Range]:
        try:
            return self.ids.shares(count)
        except ValueError as exc:
            raise StartupError(f"{self.name}: {exc}") from None

    async def connect_to_manager(self, ip: str, port: int, lb: int, ub: int) -> None:
        """Connect to a manager at the endpoint given by ``ip`` and ``port``, for the ids ``[lb, ub)``.

        Waits until it has started, that is, until all below it have; raises `StartupError`. Lost later, it is dialled
        again for ids that nobody has had.
        """
        await connect(self, (ip, port), lb, ub)

    async def spawn_workers(self, num_workers: int = -1, port: int = DEFAULT_WORKER_PORT) -> None:
        """Spawn worker processes, as many as this process may use CPUs if -1, and wait until they are ready.

        They inherit their links and need no ``port``; raises `StartupError` if one does not start.
        """
        pool = self.open_pool()
        if not pool.has_template and self._nursery is not None:
            await self._nursery.start(pool.run)
        await pool.start(count_cpus() if num_workers == -1 else num_workers)

    async def connect_to_workers(self, num_workers: int = -1, port: int = DEFAULT_WORKER_PORT) -> None:
        """Wait for so many worker processes to connect by themselves at ``port`` on loopback, `START_S` at most.

        Later ones are welcome too, as long as this node runs. Raises `StartupError` when there are too few.
        """
        await gather_workers(self, count_cpus() if num_workers == -1 else num_workers, port)

    async def listen_once(self, ip: str, port: int) -> tuple[Connection, Hello]:
        """Listen on ``ip:port`` and return the first connection with a valid HELLO of a boss, and that HELLO; others
        are refused. Waits without bound, for a boss may start at any time."""
        listeners = await self.machine.listen(ip, port)
        try:
            self.announce(listeners)
            return await first_arrival(listeners, partial(self.accept, roles=("boss",)))
        finally:
            for listener in listeners:
                listener.close()

    async def accept(self, listener: Listener, then: Welcomer, roles: tuple[str, ...]) -> None:
        """Call ``then`` with each connection that has come with a valid HELLO, until the listener is closed."""
        let_in = partial(self.sessions.let_in, self.name, then)
        await serve_arrivals(listener, self.lobby, roles, let_in, lambda exc: self.refusals.note(self.name, exc))

    def announce(self, listeners: Sequence[Listener]) -> None:
        """The node listens now; commands print a line."""

    # -- tasks ---------------------------------------------------------------------------------------------------

    def serve(self, conn: Connection, direction: Direction, mail: list[Received]) -> None:
        """Read from a connection from now on, beginning with what has come already."""
        self.conns[conn] = direction
        self.start_soon(self.serve_link, conn, direction, mail)

    async def serve_link(self, conn: Connection, direction: Direction, mail: list[Received]) -> None:
        """Put what comes over a connection into the inbox, until it ends."""
        self.start_soon(conn.run_writer)
        reason = ""
        try:
            while True:
                if mail:
                    self.take(conn, direction, mail)
                mail = await conn.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError):
            pass
        except (trio.BrokenResourceError, ProtocolError) as exc:
            reason = f"{type(exc).__name__}: {exc}"
        self.sel.put_nowait(self._on_end, conn, reason)

    async def run_scheduler(self) -> None:
        """The task that takes steps whenever there is something to do; returns when `running` is false."""
        try:
            while self.running:
                self._step(await self.sel.get_all(), self.machine.now())
        finally:
            self.ended.set()

    def take(self, conn: Connection, direction: Direction, mail: list[Received]) -> None:
        """Mail has come: it goes to the scheduler, or, to save it the turn, is handled here and now."""
        if self._is_in_step or not self.sel.comes_alone(direction, self.machine.now):
            self.sel.put_nowait(self._on_mail, conn, direction, mail)
            return
        try:
            self._step([(self._on_mail, (conn, direction, mail))], self.machine.now())
        except Exception as exc:  # it is the node's, and not of who has brought the mail
            self.sel.fail(exc)
        if not self.running:
            self.sel.wake()

    @trio.lowlevel.enable_ki_protection
    def _step(self, events: list[Event], now: float) -> None:
        """Handle a batch of events, and send what follows from it. No checkpoint; there is no other one after a bug."""
        self.now, self._is_in_step = now, True
        for call, args in events:
            call(*args)
        self._perform(self.flush())
        if self.pool is not None:
            self.pool.start_wanted()
        self.sel.set_alarm(self.machine.deadline(self.next_deadline()))
        self._is_in_step = False

    def start_soon(self, fn: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Start a task in the nursery of the node, which runs."""
        assert self._nursery is not None
        self._nursery.start_soon(fn, *args)

    def fail(self, reason: str) -> None:
        """Something happened that this node cannot run on with: it ends, and `run` raises `ConnectionLost`."""
        self._failure = self._failure or reason
        self.handle_system_error(reason)
        self.handle_shutdown()

    # -- in a step ---------------------------------------------------------------------------------------------

    def _on_mail(self, conn: Connection, direction: Direction, mail: list[Received]) -> None:
        if conn not in self.conns or (direction is Direction.BELOW and conn not in self.conn_to_employee_dict):
            return  # the link has ended, and its frames are dropped: that is the fence
        for message, parts in mail:
            try:
                self.handle_message(message, direction, conn, parts)
            except ProtocolError as exc:
                self.refusals.note(self.name, f"the link to {conn.name} ends: {exc}", logging.ERROR)
                self.break_off(conn, f"ProtocolError: {exc}")
                return
            except Exception:  # a bug of ours, met by this peer's message: it costs this link, not the node
                self.logger.exception("%s: the link to %s ends: a message could not be handled", self.name, conn.name)
                self.handle_system_error(f"a message of {conn.name} could not be handled")
                self.break_off(conn, "a message could not be handled")
                return

    def _on_end(self, conn: Connection, reason: str) -> None:
        if self.break_off(conn, reason) and self.running:
            level = logging.WARNING if reason else logging.INFO
            self.logger.log(level, "%s: the link to %s has ended: %s", self.name, conn.name, reason or "in order")

    def break_off(self, conn: Connection, reason: str) -> bool:
        """The link is over. False if that is no news: it was so already, or the end of a worker will say more."""
        hang_up(conn, reason)
        if self.conns.pop(conn, None) is None:
            return False
        employee = self.conn_to_employee_dict.get(conn)
        if employee is None or employee.kind != "worker":
            self.handle_disconnect(conn, reason=reason)
            return True
        if self.pool is not None:
            self.pool.kill_by_conn(conn)  # it may have closed the link and run on
        return False

    def _perform(self, sends: list[Send]) -> None:
        counts: dict[Any, int] = {}
        for conn, message, parts in sends:
            try:
                conn.send_nowait(message, parts)  # type: ignore[attr-defined]
            except trio.ClosedResourceError:
                continue  # its end is in the inbox
            counts[conn] = counts.get(conn, 0) + 1
        for conn, count in counts.items():
            conn.flush_nowait()
            if self.pool is not None:
                self.pool.note_sent(conn, count)

    # -- start and end -------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def open_node(self) -> AsyncIterator[None]:
        """The node's nursery and scheduler around the body, which starts the employees and then waits for the end.

        Leaving the body in order gives workers a moment to end; a cancel or an error ends them at once.
        """
        try:
            with single_error():
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    self.pid = self.machine.pid
                    self.running = True
                    nursery.start_soon(self.sel.run_alarm)
                    nursery.start_soon(self.run_scheduler)
                    try:
                        yield
                    finally:
                        dismiss(self)
                    if self.pool is not None:
                        await self.pool.stop(SHUTDOWN_WORKERS_S)
                    nursery.cancel_scope.cancel()
        finally:
            let_go(self)
        if self._failure is not None:
            raise ConnectionLost(self._failure)

    def open_pool(self) -> WorkerPool:
        """The node's workers, and a task that watches them."""
        if self.pool is None:
            self.pool = WorkerPool(self, self.blas_threads, self.cpus, self.memory_limit, self.tasks_per_worker)
            self.suspects.isolate(can_start=False)
            self.start_soon(self.pool.lookout.run)
        return self.pool

    def handle_disconnect(self, conn: object, blame: Loss | None = None, reason: str = "") -> None:
        """Remove ``conn`` from the node; a manager that was dialled is dialled again."""
        employee = self.conn_to_employee_dict.get(conn)
        super().handle_disconnect(conn, blame, reason)
        if employee is not None and employee.kind == "manager" and self.running:
            replace_lost(self, employee)
