"""One suite for every transport: who closes, and what the other end sees of it."""

import pytest
import trio
import trio.testing

from tests._transport.check_connection import LARGE, Pair, send, talk, update
from triort._model import messages as m

# -- closing -----------------------------------------------------------------------------------------------------


async def test_after_a_close_the_peer_reads_what_was_sent_and_then_the_end(pair: Pair) -> None:
    near, far = pair
    send(near, update(1), talk(b"x"))
    near.close()
    assert await far.receive() == [update(1), talk(b"x")]
    for _ in range(2):
        with pytest.raises(trio.EndOfChannel):
            await far.receive()
        with pytest.raises(trio.EndOfChannel):
            far.receive_nowait()


async def test_receive_nowait_returns_what_was_sent_before_it_tells_the_end(pair: Pair) -> None:
    near, far = pair
    send(near, update(1))
    near.close()
    assert far.receive_nowait() == [update(1)]
    with pytest.raises(trio.EndOfChannel):
        far.receive_nowait()


async def test_what_is_not_flushed_is_dropped_by_a_close(pair: Pair) -> None:
    near, far = pair
    near.send_nowait(m.Shutdown())
    near.close()
    assert near.pending_bytes == 0
    with pytest.raises(trio.EndOfChannel):
        await far.receive()


async def test_a_closed_connection_says_so(pair: Pair) -> None:
    near, _ = pair
    near.close()
    near.close()
    near.flush_nowait()
    await near.run_writer()
    with pytest.raises(trio.ClosedResourceError):
        near.send_nowait(m.Shutdown())
    with pytest.raises(trio.ClosedResourceError):
        near.receive_nowait()
    with pytest.raises(trio.ClosedResourceError):
        await near.receive()


async def test_a_close_wakes_the_reader_and_the_writer(pair: Pair) -> None:
    near, _ = pair
    ended: list[str] = []

    async def read() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await near.receive()
        ended.append("reader")

    async def write() -> None:
        await near.run_writer()
        ended.append("writer")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        nursery.start_soon(write)
        await trio.testing.wait_all_tasks_blocked()
        near.close()
    assert sorted(ended) == ["reader", "writer"]


async def test_a_close_wakes_a_writer_that_waits_for_room(pair: Pair) -> None:
    near, _ = pair
    send(near, talk(b"x" * LARGE))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run_writer)
        await trio.testing.wait_all_tasks_blocked()
        near.close()


async def test_the_close_of_the_peer_wakes_the_reader(pair: Pair) -> None:
    near, far = pair

    async def read() -> None:
        with pytest.raises(trio.EndOfChannel):
            await near.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        far.close()


async def test_sending_to_a_closed_peer_is_swallowed_and_ends_the_writer(pair: Pair) -> None:
    near, far = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run_writer)
        far.close()
        for i in range(5):
            send(near, update(i))
            await trio.testing.wait_all_tasks_blocked()
    near.send_nowait(m.Shutdown())
    near.flush_nowait()
    assert near.pending_bytes == 0
    with pytest.raises((trio.EndOfChannel, trio.BrokenResourceError)):
        await near.receive()
