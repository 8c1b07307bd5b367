"""What only sockets have: broken streams, limits before the welcome, control that overtakes bulk."""

import signal
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import trio
import trio.testing

from triort._model import messages as m
from triort._model.errors import ProtocolError
from triort._model.ids import Address, Digest, JobId
from triort._model.limits import CHUNK_BYTES, RECEIVE_BYTES
from triort._transport.outgoing import Outgoing
from triort._transport.sockets import SocketConnection
from triort._wire.frames import FrameParser, encode

SPEC = m.TaskSpec(JobId(1), Digest(b"f"), "f", 1, m.Options())
BULK = 3 * CHUNK_BYTES


def submit(address: int, part: bytes) -> m.Received:
    return m.Submit(0, [SPEC], [Address(address)], [0], [len(part)]), [part]


def note(message: m.Message) -> m.Received:
    return message, []


def drain(queue: Outgoing) -> list[m.Received]:
    parser, received = FrameParser(), []
    while buffers := queue.next_buffers():
        for buffer in buffers:
            received += parser.feed(buffer)
    return received


def push(queue: Outgoing, *messages: m.Received) -> None:
    for message, parts in messages:
        queue.push(message, parts)


@pytest.fixture
async def ends() -> AsyncIterator[tuple[SocketConnection, socket.socket]]:
    near, far = socket.socketpair()
    connection = SocketConnection(near, "far")
    with trio.fail_after(20):
        yield connection, far
    connection.close()
    far.close()


# -- the order of what is sent -----------------------------------------------------------------------------------


def test_without_bulk_everything_keeps_its_order() -> None:
    queue = Outgoing()
    sent = [submit(1, b"x"), note(m.Cancel([Address(1)])), note(m.Want(1)), submit(2, b"y"), note(m.Shutdown())]
    push(queue, *sent)
    assert drain(queue) == sent
    assert queue.pending_bytes == 0


def test_control_overtakes_bulk_and_the_rest_does_not() -> None:
    queue = Outgoing()
    bulk, later = submit(1, b"x" * BULK), submit(2, b"y")
    control = [note(m.Want(1)), note(m.Waiting(1, 2)), note(m.StatusRequest(1)), note(m.Shutdown())]
    push(queue, bulk, later, *control, note(m.Forget([JobId(1)])))
    assert drain(queue) == [*control, bulk, later, note(m.Forget([JobId(1)]))]
    assert queue.pending_bytes == 0


def test_control_goes_between_the_pieces() -> None:
    queue, parser = Outgoing(), FrameParser()
    bulk = submit(1, b"x" * BULK)
    push(queue, bulk)
    for buffer in queue.next_buffers():
        assert parser.feed(buffer) == []
    push(queue, note(m.Want(7)))
    assert [parser.feed(buffer) for buffer in queue.next_buffers()] == [[note(m.Want(7))]]
    received = []
    while buffers := queue.next_buffers():
        for buffer in buffers:
            received += parser.feed(buffer)
    assert received == [bulk]
    assert queue.pending_bytes == 0


@pytest.mark.parametrize("hidden", [submit(5, b"y" * BULK), submit(5, b"y")])
def test_a_cancel_never_overtakes_its_task(hidden: m.Received) -> None:
    queue = Outgoing()
    bulk, own, other = submit(1, b"x" * BULK), note(m.Cancel([Address(6), Address(5)])), note(m.Cancel([Address(4)]))
    push(queue, bulk, hidden, own, other)
    assert drain(queue) == [other, bulk, hidden, own]


def test_a_cancel_does_not_overtake_its_task_between_the_pieces() -> None:
    queue, parser = Outgoing(), FrameParser()
    bulk = submit(1, b"x" * BULK)
    push(queue, bulk)
    for buffer in queue.next_buffers():
        parser.feed(buffer)
    push(queue, note(m.Cancel([Address(1)])))
    received = []
    while buffers := queue.next_buffers():
        for buffer in buffers:
            received += parser.feed(buffer)
    assert received == [bulk, note(m.Cancel([Address(1)]))]


def test_messages_of_one_type_keep_their_order_around_bulk() -> None:
    queue = Outgoing()
    push(queue, note(m.Waiting(1, 1)), submit(1, b"x" * BULK), note(m.Waiting(2, 2)), submit(2, b"x" * BULK))
    push(queue, note(m.Waiting(3, 3)))
    waiting = [message for message, _ in drain(queue) if isinstance(message, m.Waiting)]
    assert waiting == [m.Waiting(1, 1), m.Waiting(2, 2), m.Waiting(3, 3)]


async def test_control_overtakes_bulk_on_a_socket(ends: tuple[SocketConnection, socket.socket]) -> None:
    near, sock = ends
    far = SocketConnection(sock, "near")
    bulk, later = submit(1, b"x" * (8 * CHUNK_BYTES)), submit(2, b"y")
    for message, parts in (bulk, later):
        near.send_nowait(message, parts)
    near.flush_nowait()
    near.send_nowait(m.Cancel([Address(7)]))
    near.send_nowait(m.Cancel([Address(1)]))
    received: list[m.Received] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run_writer)
        while len(received) < 4:
            received += await far.receive()
        nursery.cancel_scope.cancel()
    assert received == [note(m.Cancel([Address(7)])), bulk, later, note(m.Cancel([Address(1)]))]


# -- ends and faults ---------------------------------------------------------------------------------------------


async def test_an_end_inside_a_message_is_a_break(ends: tuple[SocketConnection, socket.socket]) -> None:
    near, far = ends
    far.sendall(b"".join(encode([submit(1, b"x")]))[:-1])
    far.close()
    for _ in range(2):
        with pytest.raises(trio.BrokenResourceError, match="inside a message"):
            await near.receive()


async def test_a_reset_is_a_break_every_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dialled = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
    connection = SocketConnection(accepted, "far")
    dialled.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    dialled.close()
    for _ in range(2):
        with pytest.raises(trio.BrokenResourceError, match="far"):
            await connection.receive()
    connection.close()


async def test_a_fault_names_the_peer_after_what_came_before_it(ends: tuple[SocketConnection, socket.socket]) -> None:
    near, far = ends
    far.sendall(b"".join(encode([submit(1, b"x")])) + b"\xff" * 8)
    assert await near.receive() == [submit(1, b"x")]
    for _ in range(2):
        with pytest.raises(ProtocolError, match="far: a frame of"):
            await near.receive()
        with pytest.raises(ProtocolError, match="far: a frame of"):
            near.receive_nowait()


async def test_what_follows_a_welcome_is_left_for_after_the_limit() -> None:
    near, far = socket.socketpair()
    welcome, rest = note(m.Refuse("stands for a welcome")), submit(1, b"x" * 5_000)
    connection = SocketConnection(near, "far", max_bytes=1_000)
    far.sendall(b"".join(encode([welcome])) + b"".join(encode([rest])))
    assert await connection.receive() == [welcome]
    connection.lift_limit()
    assert await connection.receive() == [rest]
    connection.close()
    far.close()


async def test_too_much_before_the_welcome_is_a_fault() -> None:
    near, far = socket.socketpair()
    connection = SocketConnection(near, "far", max_bytes=1_000)
    far.sendall(b"".join(encode([submit(1, b"x" * 5_000)])))
    with pytest.raises(ProtocolError, match="far: more bytes"):
        await connection.receive()
    connection.close()
    far.close()


class Asked(socket.socket):
    """Notes how much room it has taken from the system."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(fileno=sock.detach())
        self.rooms: list[int] = []

    def recvmsg(self, size: int, *more: int) -> tuple[bytes, list[tuple[int, int, bytes]], int, Any]:
        self.rooms.append(size)
        return super().recvmsg(size, *more)


async def test_room_is_taken_from_the_system_for_much_and_not_for_a_few_bytes() -> None:
    sock, far = socket.socketpair()
    asked = Asked(sock)
    near, sender = SocketConnection(asked, "far"), SocketConnection(far, "near")
    few, much = [submit(address, b"%d" % address) for address in range(3)], submit(9, b"x" * BULK)
    received = []
    for message in few:
        sender.send_nowait(*message)
        sender.flush_nowait()
        received += await near.receive()
    assert received == few  # also those that came before the last read
    assert asked.rooms == []
    async with trio.open_nursery() as nursery:
        sender.send_nowait(*much)
        sender.flush_nowait()
        nursery.start_soon(sender.run_writer)
        assert await near.receive() == [much]
        nursery.cancel_scope.cancel()
    assert set(asked.rooms) == {RECEIVE_BYTES}
    near.close()
    sender.close()


def test_a_connection_can_be_closed_outside_of_trio() -> None:
    near, far = socket.socketpair()
    connection = SocketConnection(near, "far")
    connection.close()
    assert far.recv(1) == b""
    far.close()


@pytest.fixture
def on_signal() -> Iterator[Callable[[Callable[[], None]], object]]:
    before = signal.getsignal(signal.SIGUSR2)
    yield lambda act: signal.signal(signal.SIGUSR2, lambda *_: act())
    signal.signal(signal.SIGUSR2, before)


async def test_a_signal_handler_can_flush_and_receive(
    ends: tuple[SocketConnection, socket.socket], on_signal: Callable[[Callable[[], None]], object]
) -> None:
    near, sock = ends
    far = SocketConnection(sock, "near")
    bulk, got = submit(1, b"x" * BULK), list[m.Received]()

    def act() -> None:
        near.send_nowait(*bulk)
        near.flush_nowait()
        got.extend(near.receive_nowait())

    on_signal(act)
    far.send_nowait(m.Want(1))
    far.flush_nowait()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run_writer)
        await trio.testing.wait_all_tasks_blocked()
        signal.raise_signal(signal.SIGUSR2)
        assert got == [note(m.Want(1))]
        assert await far.receive() == [bulk]
        nursery.cancel_scope.cancel()
