"""How a worker's loop sleeps: mail, a deadline of its books, or whoever calls `wake` ends that, and nothing is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from tests._transport.check_connection import Pair, memory_pair, socket_pair, unix_pair
from triort._model.messages import Shutdown
from triort._node.page import SharedPage
from triort._node.worker import Worker

PAIRS = pytest.mark.parametrize("make_pair", [socket_pair, unix_pair, memory_pair])
Maker = Callable[[Path], Awaitable[Pair]]


@pytest.fixture
def page() -> Iterator[SharedPage]:
    page = SharedPage.create()
    yield page
    page.close()


def employ(pair: Pair, page: SharedPage) -> Worker:
    worker = Worker(1, "w", pair[0], page)  # type: ignore[arg-type]
    worker.execution.has_rested = False
    return worker


@PAIRS
@pytest.mark.parametrize("waker", ["mail", "a wake", "both"])
async def test_a_sleep_ends_with_mail_and_with_a_wake(
    make_pair: Maker, tmp_path: Path, page: SharedPage, waker: str
) -> None:
    near, far = pair = await make_pair(tmp_path)
    worker = employ(pair, page)
    for _ in range(3):
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(worker._sleep_until_mail)
                await trio.testing.wait_all_tasks_blocked()
                if waker != "a wake":
                    far.send_nowait(Shutdown())
                    far.flush_nowait()
                if waker != "mail":
                    worker.wake()
                    worker.wake()
        assert (worker._sleeps, worker.execution.has_rested) == (False, True)
        assert [message for message, _ in worker.conn.receive_nowait()] == [Shutdown()] * (waker != "a wake")
    near.close()
    far.close()


@PAIRS
async def test_a_sleep_ends_with_the_next_deadline(
    make_pair: Maker, tmp_path: Path, page: SharedPage, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    near, far = pair = await make_pair(tmp_path)
    worker = employ(pair, page)
    for seconds in (3.0, -1.0):
        due = trio.current_time() + seconds
        monkeypatch.setattr(worker.core, "next_deadline", lambda due=due: due)
        before = trio.current_time()
        await worker._sleep_until_mail()
        assert trio.current_time() == max(due, before)
    near.close()
    far.close()
