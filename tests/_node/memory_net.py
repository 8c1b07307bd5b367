"""A listener and a dialler of sessions, over memory links that may be cut, go dumb or be refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

import trio

from triort._core.pulse import Role
from triort._model import messages as m
from triort._model.errors import ProtocolError
from triort._node.handshake import greet, make_hello, receive_hello, welcome
from triort._node.machine import OwnMachine
from triort._node.sessions import Sessions, dialled, keep
from triort._transport.connection import Connection
from triort._transport.memory import MemoryConnection, open_memory_pair
from triort._transport.session import SessionConnection

LATENCY_S = 0.01


class Net:
    """Carries messages, each after a moment; ``lost`` names the ends whose words get lost, in silence."""

    def __init__(self) -> None:
        self.lost: set[str] = set()
        self.dumb: set[MemoryConnection] = set()
        """What is said at these ends of links is lost."""
        self.listens = True
        self.num_dialled = 0
        self.links: list[tuple[MemoryConnection, MemoryConnection]] = []
        self.nursery: trio.Nursery | None = None
        self.queues: dict[MemoryConnection, deque[Callable[[], object]]] = {}

    # -- as a carrier --------------------------------------------------------------------------------------------

    def carry(self, end: MemoryConnection, batch: list[m.Received], size: int) -> None:
        self._later(end, partial(end.peer.deliver, batch, size))

    def hang_up(self, end: MemoryConnection) -> None:
        self._later(end, partial(end.peer.deliver_end, None))

    def _later(self, end: MemoryConnection, do: Callable[[], object]) -> None:
        if end.peer.name not in self.lost and end not in self.dumb and self.nursery is not None:
            queue = self.queues.setdefault(end, deque())
            queue.append(do)
            self.nursery.start_soon(self._deliver, queue)

    async def _deliver(self, queue: deque[Callable[[], object]]) -> None:
        await trio.sleep(LATENCY_S)
        queue.popleft()()

    # -- faults --------------------------------------------------------------------------------------------------

    def open(self) -> tuple[MemoryConnection, MemoryConnection]:
        self.num_dialled += 1
        self.links.append(open_memory_pair("dialler", "listener", self))
        return self.links[-1]

    def cut(self, *sides: str) -> None:
        """The last link breaks; the named sides (both by default) hear of it."""
        for end in self.links[-1]:
            if not sides or end.peer.name in sides:
                end.deliver_end(trio.BrokenResourceError("cut"))


class Ends:
    """The two ends of a session; what has come is in ``got``, how it ended in ``ends``."""

    def __init__(self, net: Net, dialler: Role, listener: Role) -> None:
        self.net = net
        self.roles = {"dialler": dialler, "listener": listener}
        self.sessions = Sessions()
        self.conns: dict[str, Connection] = {}
        self.got: dict[str, list[m.Message]] = {"dialler": [], "listener": []}
        self.ends: dict[str, tuple[float, Exception]] = {}
        self.breaks: list[tuple[float, bool]] = []
        self.refused: list[str] = []
        self.machine = OwnMachine()

    async def open(self, nursery: trio.Nursery) -> None:
        self.nursery = self.net.nursery = nursery
        near = await self.dial()
        hello = make_hello(self.roles["dialler"].value, "dialler", session=7)
        _, mail = await greet(near, hello)
        conn = dialled(
            self.machine, self.roles["dialler"], near, hello, mail, self.dial, trio.current_time(), self._note
        )
        self.serve("dialler", conn)

    async def dial(self) -> MemoryConnection:
        await trio.lowlevel.checkpoint()
        if not self.net.listens:
            raise ConnectionRefusedError
        near, far = self.net.open()
        self.nursery.start_soon(self.accept, far)
        return near

    async def accept(self, far: MemoryConnection) -> None:
        try:
            hello = await receive_hello(far, (self.roles["dialler"].value,))
            if hello.resumes:
                self.sessions.resume(far, hello, "listener")
                return
            welcome(far, "listener")
            self.serve("listener", self.sessions.accepted(self.machine, self.roles["listener"], far, hello))
        except ProtocolError as exc:
            self.refused.append(str(exc))
            far.close()

    def serve(self, side: str, conn: Connection) -> None:
        self.conns[side] = conn
        self.nursery.start_soon(keep, conn)
        self.nursery.start_soon(conn.run_writer)
        self.nursery.start_soon(self._read, side, conn)

    async def _read(self, side: str, conn: Connection) -> None:
        try:
            while True:
                self.got[side] += [message for message, _ in await conn.receive()]
        except (trio.EndOfChannel, trio.ClosedResourceError, trio.BrokenResourceError, ProtocolError) as exc:
            self.ends[side] = (trio.current_time(), exc)
            conn.close()

    def _note(self, conn: SessionConnection, is_broken: bool) -> None:
        self.breaks.append((trio.current_time(), is_broken))

    def say(self, side: str, number: int) -> None:
        self.conns[side].send_nowait(m.Update(number, 0))
        self.conns[side].flush_nowait()
