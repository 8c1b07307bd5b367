"""One suite for every transport: order, batches, bulk, slow readers, cancels."""

import threading

import pytest
import trio
import trio.testing

from tests._transport.check_connection import LARGE, Pair, receive, send, submit, talk, update
from triort._model import messages as m
from triort._model.ids import Address, JobId
from triort._model.limits import CHUNK_BYTES
from triort._transport.connection import Connection
from triort._transport.sockets import SocketConnection

# -- order and batches -------------------------------------------------------------------------------------------


async def test_messages_arrive_in_order_both_ways(pair: Pair) -> None:
    near, far = pair
    sent = [submit(i, b"x" * i, b"") for i in range(50)]
    send(near, *sent)
    send(far, *sent[::-1])
    assert await receive(far, 50) == sent
    assert await receive(near, 50) == sent[::-1]


async def test_what_was_queued_together_arrives_together(pair: Pair) -> None:
    near, far = pair
    send(near, update(1), talk(b"x"), update(2))
    assert await far.receive() == [update(1), talk(b"x"), update(2)]


async def test_nothing_is_sent_before_the_flush(pair: Pair) -> None:
    near, far = pair
    near.send_nowait(m.Shutdown())
    assert near.pending_bytes > 0
    assert far.receive_nowait() == []
    near.flush_nowait()
    assert far.receive_nowait() == [(m.Shutdown(), [])]
    assert near.pending_bytes == 0


async def test_receive_nowait_takes_all_that_is_there(pair: Pair) -> None:
    near, far = pair
    assert far.receive_nowait() == []
    for i in range(20):
        send(near, update(i))
    received = far.receive_nowait()
    with trio.fail_after(5):
        while len(received) < 20:  # TCP may have been on its way with the last ones
            await trio.lowlevel.checkpoint()
            received += far.receive_nowait()
    assert received == [update(i) for i in range(20)]


async def test_pending_bytes_count_parts_and_texts(pair: Pair) -> None:
    near, _ = pair
    near.send_nowait(*talk(b"x" * 1_000))
    near.send_nowait(m.Print(JobId(1), "stdout", "y" * 1_000))
    assert 2_000 <= near.pending_bytes <= 2_500


async def test_many_small_messages_arrive_in_order(pair: Pair) -> None:
    near, far = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run_writer)
        for i in range(10_000):
            send(near, update(i))
        assert await receive(far, 10_000) == [update(i) for i in range(10_000)]
        nursery.cancel_scope.cancel()


async def test_parts_that_are_not_as_announced_are_refused_at_once(pair: Pair) -> None:
    with pytest.raises(ValueError, match="Talk"):
        pair[0].send_nowait(m.Talk(Address(1), 5), [b"x"])


async def test_receive_is_a_checkpoint_even_when_messages_are_there(pair: Pair) -> None:
    near, far = pair
    send(near, update(1))
    with trio.testing.assert_checkpoints():
        await far.receive()


# -- large parts and slow readers --------------------------------------------------------------------------------


async def test_large_parts_pass_each_other(pair: Pair) -> None:
    near, far = pair
    down = submit(1, b"a" * LARGE, b"small", b"b" * LARGE, b"")
    up = talk(b"c" * LARGE)
    got: list[m.Received] = []

    async def take(connection: Connection) -> None:
        got.extend(await receive(connection, 2))

    async with trio.open_nursery() as writers:
        writers.start_soon(near.run_writer)
        writers.start_soon(far.run_writer)
        async with trio.open_nursery() as readers:
            send(near, down, update(1))
            send(far, up, update(2))
            readers.start_soon(take, near)
            readers.start_soon(take, far)
        writers.cancel_scope.cancel()
    assert sorted(got, key=repr) == sorted([down, update(1), up, update(2)], key=repr)


async def test_a_writer_waits_for_a_slow_reader_and_loses_nothing(pair: Pair) -> None:
    near, far = pair
    sent = [submit(i, bytes([i]) * 100_000) for i in range(100)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run_writer)
        for message in sent:
            send(near, message)
        await trio.testing.wait_all_tasks_blocked()
        assert near.pending_bytes > 1_000_000
        received: list[m.Received] = []
        while len(received) < 100:
            await trio.testing.wait_all_tasks_blocked()
            received += await far.receive()
        assert received == sent
        nursery.cancel_scope.cancel()
    assert near.pending_bytes == 0


async def test_a_writer_started_late_delivers_what_is_left(pair: Pair) -> None:
    near, far = pair
    send(near, talk(b"x" * LARGE))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run_writer)
        assert await receive(far, 1) == [talk(b"x" * LARGE)]
        nursery.cancel_scope.cancel()


async def test_a_cancelled_writer_loses_nothing(pair: Pair) -> None:
    near, far = pair
    send(near, talk(b"x" * LARGE))
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(near.run_writer)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run_writer)
        assert await receive(far, 1) == [talk(b"x" * LARGE)]
        nursery.cancel_scope.cancel()


# -- cancelling --------------------------------------------------------------------------------------------------


async def test_a_cancelled_receive_loses_nothing(pair: Pair) -> None:
    near, far = pair
    sent = [talk(bytes([i]) * 300_000) for i in range(20)]
    received: list[m.Received] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run_writer)
        for message in sent:
            send(near, message)
        while len(received) < 20:
            with trio.CancelScope() as scope:
                nursery.start_soon(_cancel_soon, scope)
                received += await far.receive()
        nursery.cancel_scope.cancel()
    assert received == sent


async def test_a_cancel_that_comes_after_the_read_takes_nothing_away(pair: Pair) -> None:
    near, far = pair
    send(near, update(1))
    received: list[m.Received] = []

    async def cancel_now(scope: trio.CancelScope) -> None:
        scope.cancel()

    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            nursery.start_soon(cancel_now, scope)
            received = await far.receive()
    assert scope.cancel_called
    assert received == [update(1)]


async def _cancel_soon(scope: trio.CancelScope) -> None:
    await trio.lowlevel.checkpoint()
    scope.cancel()


async def test_a_receive_in_a_cancelled_scope_takes_nothing(pair: Pair) -> None:
    near, far = pair
    send(near, update(1))
    with trio.CancelScope() as scope:
        scope.cancel()
        await far.receive()
    assert scope.cancelled_caught
    assert await far.receive() == [update(1)]


# -- outside of trio's tasks -------------------------------------------------------------------------------------


async def test_sending_and_receiving_need_no_trio(pair: Pair) -> None:
    near, far = pair
    got: list[m.Received] = []

    def outside() -> None:  # a thread without trio stands for a signal handler
        send(near, update(1), talk(b"x"))
        got.extend(far.receive_nowait())

    if not isinstance(near, SocketConnection):
        pytest.skip("memory lives inside of trio")
    thread = threading.Thread(target=outside)
    thread.start()
    thread.join()
    assert got == [update(1), talk(b"x")]


async def test_a_flush_outside_of_trio_wakes_the_writer(pair: Pair) -> None:
    near, far = pair
    if not isinstance(near, SocketConnection):
        pytest.skip("memory lives inside of trio")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run_writer)
        await trio.testing.wait_all_tasks_blocked()
        await trio.to_thread.run_sync(send, near, talk(b"x" * (2 * CHUNK_BYTES)), update(1))
        assert await receive(far, 2) == [talk(b"x" * (2 * CHUNK_BYTES)), update(1)]
        nursery.cancel_scope.cancel()
