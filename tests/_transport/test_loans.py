"""Large parts over Unix sockets: lent, passed on, and sent where the system does not let that be."""

import errno
import os
import resource
import socket
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from tests._transport.check_connection import LARGE, receive, send, submit, talk, tcp_pair, update
from tests._transport.lending import DATA, Ends, open_ends
from triort._model import messages as m
from triort._wire.shared import Shared

pytestmark = pytest.mark.usefixtures("no_loans_left")

# -- on its way --------------------------------------------------------------------------------------------------


async def test_a_large_part_is_lent_at_once_whatever_its_size(ends: Ends) -> None:
    near, far = ends
    data = bytes(40 * LARGE)
    send(near, submit(1, data, b"small"), update(1))
    assert near.pending_bytes == 0  # without a writer: nothing of it lies in a buffer
    (_, parts), second = await far.receive() + far.receive_nowait()
    assert type(parts[0]) is Shared
    assert [len(part) for part in parts] == [len(data), 5]
    assert second == update(1)


async def test_who_is_lent_a_part_passes_it_on_without_a_copy(ends: Ends) -> None:
    near, middle = ends
    start, end = open_ends()
    send(near, talk(DATA))
    (received,) = await middle.receive()
    send(start, received)
    (again,) = await end.receive()
    parts = received[1][0], again[1][0]
    assert isinstance(parts[0], Shared)
    assert isinstance(parts[1], Shared)
    assert os.fstat(parts[0].fileno()).st_ino == os.fstat(parts[1].fileno()).st_ino
    assert bytes(parts[1]) == DATA
    start.close()
    end.close()


async def test_over_tcp_what_was_lent_goes_in_pieces(ends: Ends, tmp_path: Path) -> None:
    near, middle = ends
    start, end = await tcp_pair(tmp_path)
    send(near, talk(DATA))
    (received,) = await middle.receive()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(start.run_writer)
        send(start, received)
        assert await receive(end, 1) == [talk(DATA)]
        nursery.cancel_scope.cancel()
    start.close()
    end.close()


async def test_many_loans_arrive_in_order_and_in_few_segments(ends: Ends) -> None:
    near, far = ends
    segments = set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run_writer)
        for i in range(30):
            send(near, submit(i, DATA, DATA[i:]))
            ((_, parts),) = await far.receive()
            for part in parts:
                assert isinstance(part, Shared)
                segments.add(os.fstat(part.fileno()).st_ino)
            assert list(map(bytes, parts)) == [DATA, DATA[i:]]
            del parts, part
        nursery.cancel_scope.cancel()
    assert len(segments) <= 4


async def test_a_reader_that_is_late_finds_all_of_them(ends: Ends) -> None:
    near, far = ends
    sent = [submit(i, DATA[i:]) for i in range(50)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run_writer)
        send(near, *sent)
        await trio.testing.wait_all_tasks_blocked()
        assert await receive(far, 50) == sent
        nursery.cancel_scope.cancel()


async def test_control_overtakes_what_is_behind_a_full_socket(ends: Ends) -> None:
    near, far = ends
    sent = [submit(i, DATA) for i in range(1_000)]
    for each in sent:
        near.send_nowait(*each)
    near.flush_nowait()
    while near.pending_bytes > 900 * LARGE:
        near.flush_nowait()
    send(near, (m.Want(7), []))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run_writer)
        received: list[m.Received] = []
        while not any(message == m.Want(7) for message, _ in received):
            received += await far.receive()
        nursery.cancel_scope.cancel()
    assert len(received) < 1_000


# -- when the system does not let it -----------------------------------------------------------------------------


class Refusing:
    """A socket that passes no descriptors on."""

    def __init__(self, sock: socket.socket, error: int) -> None:
        self.sock = sock
        self.error = error
        self.refused = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)

    def sendmsg(self, buffers: Any, ancillary: Any = ()) -> int:
        if ancillary:
            self.refused += 1
            raise OSError(self.error, os.strerror(self.error))
        return self.sock.sendmsg(buffers)


async def test_what_cannot_be_lent_goes_in_pieces(ends: Ends) -> None:
    near, far = ends
    refusing = near._sock = Refusing(near._sock, errno.ETOOMANYREFS)  # type: ignore[assignment]
    sent = [submit(1, DATA, b"small", DATA[1:]), talk(DATA), update(1)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run_writer)
        send(near, *sent)
        assert near.pending_bytes > LARGE
        assert await receive(far, 3) == sent
        nursery.cancel_scope.cancel()
    assert refusing.refused == 3
    assert near.pending_bytes == 0


async def test_without_descriptors_nothing_is_lent(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    near, far = ends
    monkeypatch.setattr(Shared, "has_room", lambda: False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run_writer)
        send(near, talk(DATA))
        ((_, (part,)),) = await far.receive()
        assert type(part) is bytes
        nursery.cancel_scope.cancel()


async def test_a_process_that_can_open_nothing_any_more_loses_the_link(ends: Ends) -> None:
    near, far = ends
    send(near, update(1), talk(DATA))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.dup(0)
    os.close(spare)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, limits[1]))
    try:
        for _ in range(2):
            with pytest.raises(trio.BrokenResourceError, match="Too many open files"):
                await far.receive()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
