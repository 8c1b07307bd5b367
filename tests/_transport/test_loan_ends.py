"""However a link ends, nothing of what was lent over it is left behind; and who lends what it must not loses the
link."""

import gc
import os
import socket

import pytest
import trio

from tests._transport.check_connection import LARGE, receive, send, submit, talk
from tests._transport.lending import DATA, STORES, Ends, lend_by_hand, loan_frame, memory_descriptors, open_ends
from triort._model.errors import ProtocolError
from triort._transport.sockets import SocketConnection
from triort._wire.shared import Store

pytestmark = pytest.mark.usefixtures("no_loans_left")


async def test_loans_that_nobody_reads_leave_nothing_behind() -> None:
    near, far = open_ends()
    for i in range(5):
        send(near, submit(i, DATA))
    far.close()
    near.close()
    part = STORES[0].put(DATA, is_kept=True)
    assert part is not None
    segments = {os.stat(link).st_ino for link in memory_descriptors()}
    assert len(segments) == 5  # all of them are free again, and the part lies in one


async def test_what_was_lent_outlives_the_link_and_the_store() -> None:
    near, far = open_ends()
    send(near, talk(DATA))
    near.close()
    ((_, (part,)),) = await far.receive()
    with pytest.raises(trio.EndOfChannel):
        await far.receive()
    far.close()
    del near, far
    gc.collect()
    assert bytes(part) == DATA


async def test_an_end_between_a_loan_and_its_message_is_a_break(ends: Ends) -> None:
    near, far = ends
    part = Store().put(DATA)
    assert part is not None
    lend_by_hand(near._sock, loan_frame(len(DATA)), part.fileno())
    near.close()
    with pytest.raises(trio.BrokenResourceError, match="inside a message"):
        await far.receive()


@pytest.mark.parametrize(
    ("frame", "count", "what"),
    [
        (loan_frame(10), 2, "no frame announces"),
        (loan_frame(10), 5, "no frame announces"),
        (loan_frame(10) * 2, 1, "without its descriptor"),
        (loan_frame(2 * LARGE), 1, "were announced"),
        (b"\xff" * 8, 1, "a frame of"),
    ],
)
async def test_a_fault_costs_its_own_link_and_no_descriptors(ends: Ends, frame: bytes, count: int, what: str) -> None:
    bad, far = ends
    other, its_end = open_ends()
    part = Store().put(DATA)
    assert part is not None
    lend_by_hand(bad._sock, frame, *[part.fileno()] * count)
    for _ in range(2):
        with pytest.raises(ProtocolError, match=f"near: .*{what}"):
            await far.receive()
    assert len(memory_descriptors()) == 1
    send(other, talk(DATA))
    assert await receive(its_end, 1) == [talk(DATA)]
    other.close()
    its_end.close()


async def test_unsealed_memory_is_a_fault(ends: Ends) -> None:
    near, far = ends
    fd = os.memfd_create("unsealed")
    os.ftruncate(fd, 100)
    lend_by_hand(near._sock, loan_frame(100), fd)
    os.close(fd)
    with pytest.raises(ProtocolError, match="near: lent memory is not sealed"):
        await far.receive()


async def test_nothing_is_lent_to_who_has_not_let_the_peer_in() -> None:
    near, far = socket.socketpair()
    connection = SocketConnection(far, "near", max_bytes=1_000)
    part = Store().put(DATA)
    assert part is not None
    lend_by_hand(near, loan_frame(10), part.fileno())
    with pytest.raises(ProtocolError, match="before it is let in"):
        await connection.receive()
    assert len(memory_descriptors()) == 1
    connection.close()
    near.close()
