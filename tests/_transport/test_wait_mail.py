"""Who waits for mail takes none: others may need it before that task has the CPU again."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
import trio.testing

from tests._transport.check_connection import Pair, memory_pair, receive, socket_pair, unix_pair
from triort._model import messages as m

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
