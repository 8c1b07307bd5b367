"""Who waits for mail takes none: others may need it before that task has the CPU again."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
import trio.testing

from tests._transport.check_connection import Pair, memory_pair, receive, socket_pair, unix_pair
from triort._model import messages as m
from triort._model.ids import JobId

PAIRS = pytest.mark.parametrize("make_pair", [socket_pair, unix_pair, memory_pair])
Maker = Callable[[Path], Awaitable[Pair]]


@PAIRS
async def test_mail_is_there_for_others_while_the_wait_for_it_is_on_its_way_back(
    make_pair: Maker, tmp_path: Path
) -> None:
    near, far = await make_pair(tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.wait_mail)  # type: ignore[attr-defined]
        await trio.testing.wait_all_tasks_blocked()
        far.send_nowait(m.Shutdown())
        far.flush_nowait()
        assert [message for message, _ in near.receive_nowait()] == [m.Shutdown()]
        nursery.cancel_scope.cancel()
    near.close()
    far.close()


@PAIRS
async def test_the_end_of_the_link_ends_the_wait_and_a_cancel_loses_nothing(make_pair: Maker, tmp_path: Path) -> None:
    near, far = await make_pair(tmp_path)
    with trio.move_on_after(0):
        await near.wait_mail()  # type: ignore[attr-defined]
    far.send_nowait(m.Shutdown())
    far.flush_nowait()
    with trio.fail_after(5):
        await near.wait_mail()  # type: ignore[attr-defined]
        assert [message for message, _ in await receive(near, 1)] == [m.Shutdown()]
        far.close()
        await near.wait_mail()  # type: ignore[attr-defined]
    with pytest.raises(trio.EndOfChannel):
        near.receive_nowait()
    near.close()


@PAIRS
async def test_a_wait_is_ended_by_hand_and_the_link_goes_on(make_pair: Maker, tmp_path: Path) -> None:
    near, far = await make_pair(tmp_path)
    near.stop_waiting()  # type: ignore[attr-defined]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run_writer)
        for _ in range(3):
            with trio.fail_after(5):
                async with trio.open_nursery() as waiters:
                    waiters.start_soon(near.wait_mail)  # type: ignore[attr-defined]
                    await trio.testing.wait_all_tasks_blocked()
                    near.stop_waiting()  # type: ignore[attr-defined]
            assert near.receive_nowait() == []
            for sender, receiver in ((near, far), (far, near)):
                sender.send_nowait(m.Shutdown())
                sender.flush_nowait()
                with trio.fail_after(5):
                    assert [message for message, _ in await receive(receiver, 1)] == [m.Shutdown()]
        nursery.cancel_scope.cancel()
    near.close()
    near.stop_waiting()  # type: ignore[attr-defined]
    far.close()


@pytest.mark.parametrize("make_pair", [socket_pair, unix_pair])
async def test_a_writer_that_waits_for_room_goes_on_when_a_wait_for_mail_is_ended(
    make_pair: Maker, tmp_path: Path
) -> None:
    near, far = await make_pair(tmp_path)
    lines = [m.Print(JobId(1), "stdout", "x" * 10_000) for _ in range(2_000)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.run_writer)
        for line in lines:
            near.send_nowait(line)
        near.flush_nowait()
        await trio.testing.wait_all_tasks_blocked()
        assert near.pending_bytes
        near.stop_waiting()  # type: ignore[attr-defined]
        with trio.fail_after(10):
            assert len(await receive(far, len(lines))) == len(lines)
        assert not near.pending_bytes
        nursery.cancel_scope.cancel()
    near.close()
    far.close()
