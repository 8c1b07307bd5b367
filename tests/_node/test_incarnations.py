"""One manager, one boss after the other, and others that join: all in this process, over loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import msgspec
import pytest
import trio

from triort._access.access import Access
from triort._model.messages import (
    DrainReply,
    DrainRequest,
    Message,
    Refuse,
    Shutdown,
    Started,
    SystemError_,
    Waiting,
    Welcome,
)
from triort._model.roles import Badge
from triort._node import bosses
from triort._node.handshake import make_hello
from triort._node.manager import Manager
from triort._node.server import Server
from triort._transport.sockets import SocketConnection
from triort._transport.tcp import dial_tcp

HOST = "127.0.0.1"


class Peer:
    """Somebody who talks to a node by hand."""

    all: ClassVar[list[Peer]] = []

    def __init__(self, conn: SocketConnection) -> None:
        self.all.append(self)
        self.conn = conn
        self.mail: list[Message] = []

    @classmethod
    async def dial(cls, port: int, **hello: Any) -> Peer:
        badge = {"boss": Badge.SERVER, "employee": Badge.NODE, "client": Badge.CLIENT}[hello["role"]]
        peer = cls(await dial_tcp(HOST, port, Access(badge), timeout_s=1, max_bytes=None))
        peer.say(msgspec.structs.replace(make_hello(**hello), cluster=peer.conn.cluster))
        return peer

    def say(self, message: Message) -> None:
        self.conn.send_nowait(message)
        self.conn.flush_nowait()

    async def hear(self, *kinds: type[Message]) -> Any:
        """The next message of these kinds; others are passed over."""
        while True:
            while self.mail:
                message = self.mail.pop(0)
                if isinstance(message, kinds):
                    return message
            with trio.fail_after(5):
                self.mail += [message for message, _ in await self.conn.receive()]

    async def wait_end(self) -> None:
        with pytest.raises(trio.EndOfChannel):
            await self.hear()


async def boss(manager: Manager, lower: int = 0, upper: int = 100_000) -> Peer:
    return await Peer.dial(manager.port, role="boss", name="server", lower_id=lower, upper_id=upper)


async def serving_boss(manager: Manager, lower: int = 0, upper: int = 100_000) -> Peer:
    peer = await boss(manager, lower, upper)
    await peer.hear(Welcome)
    await peer.hear(Started)
    return peer


@asynccontextmanager
async def running(node: Manager | Server) -> AsyncIterator[trio.Nursery]:
    """The node runs, and listens."""
    listening = trio.Event()
    node.on_listening = lambda _: listening.set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run)
        await listening.wait()
        try:
            yield nursery
        finally:
            for peer in Peer.all:
                peer.conn.close()
            Peer.all.clear()
        nursery.cancel_scope.cancel()


async def joined(port: int, name: str, num_workers: int) -> tuple[Peer, Welcome]:
    peer = await Peer.dial(port, role="employee", name=name)
    answer = await peer.hear(Welcome)
    peer.say(Started(num_workers, name, 1))
    return peer, answer


async def test_each_boss_meets_another_incarnation_with_empty_books() -> None:
    manager = Manager(0, ipports=[])
    async with running(manager):
        first = await serving_boss(manager, 0, 1_000)
        employee, _ = await joined(manager.port, "m", 3)
        assert (await first.hear(Waiting)).workers == 3
        books = manager.hops
        first.conn.close()
        await employee.wait_end()
        second = await serving_boss(manager, 5_000, 6_000)
        assert manager.hops is not books
        assert manager.employees == []
        assert (manager.lower_id_bound, manager.upper_id_bound) == (5_000, 6_000)
        second.say(Shutdown())
        await second.wait_end()


async def test_a_second_boss_is_refused_and_takes_over_when_the_first_cannot_be_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manager = Manager(0, ipports=[])
    async with running(manager):
        first = await serving_boss(manager)
        refused = await (await boss(manager)).hear(Refuse, Welcome)
        assert refused.reason == f"{manager.name} has a boss already"
        assert refused.again
        monkeypatch.setattr("triort._node.manager.is_healthy", lambda conn: False)
        second = await boss(manager, 200_000, 300_000)
        await second.hear(Started)
        await first.wait_end()
        assert manager.lower_id_bound == 200_000


async def test_a_boss_that_goes_during_the_first_start_is_no_failure_of_the_node(
    caplog: pytest.LogCaptureFixture,
) -> None:
    manager = Manager(0, ipports=[(HOST, 1)])
    with trio.fail_after(5):
        async with running(manager):
            for number in range(3):
                peer = await boss(manager)
                await peer.hear(Welcome)
                peer.conn.close()
                while caplog.text.count("the boss has gone before all below had started") <= number:
                    await trio.sleep(0.001)


async def test_a_later_start_does_not_wait_for_managers() -> None:
    leaf = Manager(0, ipports=[])
    async with trio.open_nursery() as nursery:
        scope = trio.CancelScope()

        async def run_leaf() -> None:
            with scope:
                await leaf.run()

        listening = trio.Event()
        leaf.on_listening = lambda _: listening.set()
        nursery.start_soon(run_leaf)
        await listening.wait()
        middle = Manager(0, ipports=[(HOST, leaf.port)])
        async with running(middle):
            first = await serving_boss(middle)
            assert len(middle.employees) == 1
            scope.cancel()
            while middle.employees:
                await trio.sleep(0.01)
            first.conn.close()
            second = await serving_boss(middle, 200_000, 300_000)
            assert middle.employees == []
            again = Manager(leaf.port, ipports=[])
            nursery.start_soon(again.run)
            while not middle.employees:
                await trio.sleep(0.01)
            assert middle.employees[0].lower_id > 200_000
            second.say(Shutdown())
            await second.wait_end()
        nursery.cancel_scope.cancel()


async def test_who_joins_gets_ids_and_counts_and_two_of_a_name_are_told_apart() -> None:
    server = Server([], 0)
    async with running(server):
        assert server.port is not None
        one, first = await joined(server.port, "m7473", 2)
        two, second = await joined(server.port, "m7473", 3)
        while server.total_workers < 5:
            await trio.sleep(0.01)
        assert [employee.name for employee in server.employees] == ["m7473", "m7473-2"]
        assert first.lower_id < first.upper_id <= second.lower_id < second.upper_id
        one.conn.close()
        while server.total_workers > 3:
            await trio.sleep(0.01)
        two.conn.close()
        while server.employees:
            await trio.sleep(0.01)
        _, third = await joined(server.port, "m7473", 1)
        assert third.lower_id >= second.upper_id


async def test_who_joins_and_does_not_start_is_forgotten() -> None:
    server = Server([], 0)
    async with running(server):
        assert server.port is not None
        peer = await Peer.dial(server.port, role="employee", name="m")
        await peer.hear(Welcome)
        peer.say(SystemError_("m", "no room"))
        await peer.wait_end()
        assert server.employees == []


async def test_nobody_joins_when_no_ids_are_left_or_there_is_no_boss() -> None:
    manager = Manager(0, ipports=[])
    async with running(manager):
        answer = await (await Peer.dial(manager.port, role="employee", name="m")).hear(Refuse)
        assert answer == Refuse(f"{manager.name} has no boss at present, and so no ids to give", True)
        await serving_boss(manager, 0, 100)
        answer = await (await Peer.dial(manager.port, role="employee", name="m")).hear(Refuse)
        assert answer == Refuse(f"{manager.name} has no ids left for another manager")


async def test_a_manager_joins_comes_again_and_leaves_when_it_is_drained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bosses, "RETRY_WAIT_MAX_S", 0.05)
    server = Server([], 0)
    async with running(server):
        assert server.port is not None
        manager = Manager(0, ipports=[], join=(HOST, server.port))
        has_ended = trio.Event()

        async def run_manager() -> None:
            await manager.run()
            has_ended.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_manager)
            while not server.employees:
                await trio.sleep(0.01)
            refused = await (await boss(manager)).hear(Refuse)
            assert "joined a boss by itself" in refused.reason
            before = server.employees[0]
            server.employees[0].link.conn.close()  # type: ignore[attr-defined]
            while not server.employees or server.employees[0] is before:
                await trio.sleep(0.01)
            client = await Peer.dial(server.port, role="client", name="c")
            await client.hear(Welcome)
            client.say(DrainRequest(1, manager.name))
            assert await client.hear(DrainReply) == DrainReply(1)
            await has_ended.wait()
