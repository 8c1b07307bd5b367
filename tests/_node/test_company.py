"""Mail that comes alone is handled by its reader, at once; mail that has company waits for it, in the scheduler."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest
import trio
import trio.testing

from triort._core.directions import Direction
from triort._model.errors import ProtocolError
from triort._model.limits import COMPANY_S
from triort._model.messages import Received, StatusReply, StatusRequest
from triort._node.inbox import Event
from triort._node.server import Server
from triort._transport.memory import MemoryConnection, open_memory_pair

Steps = list[tuple[str, int]]


@pytest.fixture
async def node(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Server, Steps]]:
    """A server that runs, without anything below it, and who has taken which steps of it, of how many events."""
    server, steps = Server([], None), []
    step = server._step

    def note(events: list[Event], now: float) -> None:
        steps.append((trio.lowlevel.current_task().name.rpartition(".")[2], len(events)))
        step(events, now)

    monkeypatch.setattr(server, "_step", note)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        yield server, steps
        nursery.cancel_scope.cancel()


async def client_of(server: Server) -> MemoryConnection:
    ours, theirs = open_memory_pair("client", "server")
    server.adopt_client(theirs)
    await trio.testing.wait_all_tasks_blocked(2 * COMPANY_S)
    return ours


async def embedded_client_of(server: Server) -> MemoryConnection:
    """Its mail is handed over."""
    ours, theirs = open_memory_pair("client", "server")
    server.adopt_client(theirs)
    await trio.testing.wait_all_tasks_blocked(2 * COMPANY_S)
    theirs.divert(partial(server.take, theirs, Direction.CLIENT))
    return ours


def ask(client: MemoryConnection, number: int) -> None:
    client.send_nowait(StatusRequest(number))
    client.flush_nowait()


async def test_mail_that_comes_alone_is_handled_in_its_readers_turn(node: tuple[Server, Steps]) -> None:
    server, steps = node
    client = await client_of(server)
    steps.clear()
    for number in range(3):
        ask(client, number)
        [(answer, _)] = await client.receive()
        assert isinstance(answer, StatusReply)
        await trio.sleep(2 * COMPANY_S)
    assert steps == [("serve_link", 1)] * 3


async def test_mail_with_company_is_handled_together(node: tuple[Server, Steps]) -> None:
    server, steps = node
    clients = [await client_of(server) for _ in range(8)]
    steps.clear()
    server.sel.comes_alone(Direction.CLIENT, lambda: server.machine.now() + 1)  # however slow this machine is
    for client in clients:
        ask(client, 1)
    for client in clients:
        await client.receive()
    assert steps == [("run_scheduler", 8)]


async def test_an_embedded_client_takes_the_step_itself(node: tuple[Server, Steps]) -> None:
    server, steps = node
    ours = await embedded_client_of(server)
    steps.clear()
    ask(ours, 1)
    assert [type(message) for message, _ in ours.receive_nowait()] == [StatusReply]
    assert [count for _, count in steps] == [1]


async def test_a_fault_in_a_step_ends_the_node_whoever_has_taken_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no end of the link over which the mail has come."""
    server = Server([], None)

    def fail() -> None:
        raise ProtocolError("a bug")

    with pytest.raises(ExceptionGroup) as caught:
        async with trio.open_nursery() as nursery:
            await nursery.start(server.run)
            ours = await embedded_client_of(server)
            monkeypatch.setattr(server, "next_deadline", fail)
            ask(ours, 1)
            with trio.fail_after(5):
                await server.ended.wait()
    assert caught.value.split(ProtocolError)[1] is None


async def test_what_is_asked_within_a_step_waits_for_the_next(node: tuple[Server, Steps]) -> None:
    server, steps = node
    ours = await embedded_client_of(server)
    answers = []

    def ask_again(mail: list[Received]) -> None:
        answers.append(len(steps))
        server.machine.now = lambda: trio.current_time() + 1  # type: ignore[method-assign]  # it has been quiet
        if len(answers) == 1:
            ask(ours, 2)
            assert len(steps) == 1

    steps.clear()
    ours.divert(ask_again)
    ask(ours, 1)
    await trio.testing.wait_all_tasks_blocked(2 * COMPANY_S)
    assert answers == [1, 2]
    assert steps[1] == ("run_scheduler", 1)


async def test_a_node_that_is_told_to_end_by_its_readers_step_ends(node: tuple[Server, Steps]) -> None:
    server, steps = node
    client = await client_of(server)
    steps.clear()
    handle = server.handle_message
    server.handle_message = lambda *args: (handle(*args), server.handle_shutdown())  # type: ignore[assignment, func-returns-value]
    ask(client, 1)
    with trio.fail_after(5):
        await server.ended.wait()
    assert steps[0] == ("serve_link", 1)
