"""What simulated servers and managers stand on: the cluster's links, their workers, a clock that may be off."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from triort._model.errors import StartupError
from triort._model.limits import DIAL_WAIT_FIRST_S, DIAL_WAIT_GROWTH, DIAL_WAIT_MAX_S, RETRY_WAIT_MAX_S
from triort._node.journal import JournalStore
from triort._node.machine import Retry
from triort._node.spawned import WorkerExit
from triort._transport.memory import MemoryConnection
from triort.testing._tier2.process import SimProcess
from triort.testing._tier2.store import SimStore

if TYPE_CHECKING:
    from triort.testing._tier2.cluster import Cluster
    from triort.testing._tier2.wire import Wire

SPAWN_S = 3e-3
EXIT_S = 1e-3
MARGIN_S = 1e-9


class SimListener:
    """A port of a simulated node."""

    def __init__(self, machine: SimMachine, port: int) -> None:
        self.machine = machine
        self.port = port
        self._arrivals_in, self._arrivals = trio.open_memory_channel[MemoryConnection](float("inf"))

    async def accept(self, make_room: Callable[[], object]) -> MemoryConnection:
        """Wait for the next connection."""
        try:
            return await self._arrivals.receive()
        except trio.EndOfChannel:
            raise trio.ClosedResourceError from None

    def arrive(self, conn: MemoryConnection) -> None:
        """Somebody has connected."""
        self._arrivals_in.send_nowait(conn)

    def close(self) -> None:
        """Stop listening; idempotent. Who has connected and was not accepted finds the link closed."""
        cluster = self.machine.cluster
        if cluster.listeners.get(self.port) is self:
            del cluster.listeners[self.port]
        self._arrivals_in.close()
        while True:
            try:
                self._arrivals.receive_nowait().close()
            except (trio.EndOfChannel, trio.WouldBlock):
                return


class SimTemplate:
    """Starts the workers of one node."""

    def __init__(self, machine: SimMachine) -> None:
        self.machine = machine
        self.processes: list[SimProcess] = []
        self._exits_in, self._exits = trio.open_memory_channel[WorkerExit](float("inf"))

    async def spawn(
        self, node_id: int, *, name: str = "", cwd: str = "", cpus: Sequence[int] | None = None
    ) -> SimProcess:
        """Start a worker; takes a few milliseconds."""
        cluster = self.machine.cluster
        await trio.sleep(SPAWN_S * (0.5 + cluster.draws.unit("spawn", name)))
        wire = cluster.network.open_wire(name, self.machine.name, name)
        self.machine.wires.append(wire)
        process = SimProcess(cluster, node_id, name, wire, self._note_exit)
        self.processes.append(process)
        cluster.start_soon(process.run)
        return process

    async def receive_exit(self) -> WorkerExit:
        """Wait for the next end of a worker."""
        return await self._exits.receive()

    def close(self) -> None:
        """The node is over: so are its workers."""
        for process in self.processes:
            process.kill()

    def _note_exit(self, ended: WorkerExit) -> None:
        cluster = self.machine.cluster
        self.processes = [each for each in self.processes if each.node_id != ended.node_id]
        cluster.at(
            cluster.now + EXIT_S * cluster.draws.unit("exit", self.machine.name, ended.node_id), self._send, ended
        )

    def _send(self, ended: WorkerExit) -> None:
        self._exits_in.send_nowait(ended)


class SimMachine:
    """The machine of the node called ``name``."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.pid = cluster.next_pid()
        self.store = None
        self.is_dead = False
        self.wires: list[Wire] = []
        self.templates: list[SimTemplate] = []
        self._draws = cluster.network.draws_of.setdefault(name, Counter())
        self._rate = 1.0
        self._offset_s = 0.0

    def choose(self, name: str, n: int) -> int:
        """Draw from ``range(n)``, by the name of the node and of the decision."""
        self._draws[name] += 1
        return self.cluster.draws.integer(n, "choose", self.name, name, self._draws[name])

    def now(self) -> float:
        """The node's clock."""
        return self.cluster.now * self._rate + self._offset_s

    def deadline(self, when: float) -> float:
        """The same moment on the cluster's clock, and a little later: a sum of times may be a bit too small."""
        return (when - self._offset_s) / self._rate + MARGIN_S

    def set_clock(self, *, jump_s: float = 0.0, rate: float | None = None) -> None:
        """The clock is off from now on."""
        now = self.now()
        self._rate = self._rate if rate is None else rate
        self._offset_s = now - self.cluster.now * self._rate + jump_s

    def time_of_day_s(self) -> float:
        """Virtual time, which nothing disturbs."""
        return self.cluster.now

    async def open_journal(self, path: str) -> JournalStore:
        """The one that an earlier server has left."""
        await trio.lowlevel.checkpoint()
        return SimStore(self.cluster)

    def page_clock_s(self) -> float:
        """What workers measure by."""
        return self.cluster.now

    async def wait_for(self, news: trio.Event, until: float, *, idly: bool) -> None:
        """Wait for the event, until that time; at rest, time does not go on for those who wait idly."""
        if not idly or until == math.inf:
            with trio.CancelScope(deadline=until):
                await news.wait()
            return
        timer = self.cluster.clock.in_background_at(until, news.set)
        try:
            await news.wait()
        finally:
            self.cluster.clock.cancel(timer)

    async def dial_once(self, host: str, port: int) -> MemoryConnection:
        """Connect to the node that listens at ``port``; raises `ConnectionRefusedError`."""
        await trio.lowlevel.checkpoint()
        cluster = self.cluster
        await cluster.network.wait_whole(self.name, cluster.name_at(port))
        listener = cluster.listeners.get(port)
        if listener is None:
            raise ConnectionRefusedError
        return cluster.network.connect(self, listener)

    async def dial(self, host: str, port: int, *, timeout_s: float, on_retry: Retry | None = None) -> MemoryConnection:
        """Connect to the node that listens at ``port``, whatever the host is called."""
        cluster = self.cluster
        wait_s, attempt = DIAL_WAIT_FIRST_S, 0
        with trio.move_on_after(timeout_s):
            while True:
                attempt += 1
                await cluster.network.wait_whole(self.name, cluster.name_at(port))
                listener = cluster.listeners.get(port)
                if listener is not None:
                    conn = cluster.network.connect(self, listener)
                    await trio.lowlevel.checkpoint()
                    return conn
                if on_retry is not None:
                    on_retry(attempt, "connection refused")
                await trio.sleep(wait_s)
                wait_s = min(wait_s * DIAL_WAIT_GROWTH, DIAL_WAIT_MAX_S)
        raise StartupError(f"cannot connect to {host}:{port}: connection refused (attempts: {attempt})")

    async def wait_to_dial(self, host: str, port: int, wait_s: float) -> None:
        """Wait so long, and until somebody listens there: who dials for ever would keep the cluster from rest. So would
        who is refused for ever, because the one that listens has no boss: at last he waits idly."""
        await self.wait_for(trio.Event(), trio.current_time() + wait_s, idly=wait_s >= RETRY_WAIT_MAX_S)
        while port not in self.cluster.listeners:
            await self.cluster.opened.park()

    async def listen(self, host: str, port: int) -> list[SimListener]:
        """Listen; the port is this node's own."""
        await trio.lowlevel.checkpoint()
        if port in self.cluster.listeners:
            raise StartupError(f"cannot listen on {host}:{port}: address already in use")
        listener = self.cluster.listeners[port] = SimListener(self, port)
        self.cluster.opened.unpark_all()
        return [listener]

    @asynccontextmanager
    async def open_template(self, *, blas_threads: int | None, name: str) -> AsyncIterator[SimTemplate]:
        """What starts this node's workers."""
        template = SimTemplate(self)
        self.templates.append(template)
        try:
            yield template
        finally:
            template.close()

    def die(self) -> None:
        """The node's process is gone: its links end, and its template kills its workers."""
        self.is_dead = True
        for wire in self.wires:
            wire.die(self.name)
        for port in [port for port, listener in self.cluster.listeners.items() if listener.machine is self]:
            self.cluster.listeners[port].close()
        for template in self.templates:
            template.close()
