"""An end over memory whose mail is handed over as it is delivered."""

import pytest
import trio
import trio.testing

from tests._transport.check_connection import send, update
from triort._model.messages import Received
from triort._transport.memory import open_memory_pair


async def test_mail_is_handed_over_inside_the_flush_and_in_order() -> None:
    near, far = open_memory_pair("near", "far")
    taken: list[Received] = []
    send(near, update(1))
    far.divert(taken.extend)
    assert taken == [update(1)]
    send(near, update(2), update(3))
    assert taken == [update(1), update(2), update(3)]
    assert near.pending_bytes == 0


async def test_who_receives_then_waits_for_the_end_alone() -> None:
    near, far = open_memory_pair("near", "far")
    taken: list[Received] = []
    far.divert(taken.extend)
    with trio.move_on_after(0.01) as waited:
        send(near, update(1))
        await far.receive()
    assert waited.cancelled_caught
    near.close()
    with pytest.raises(trio.EndOfChannel):
        await far.receive()
    assert taken == [update(1)]


async def test_an_error_of_who_takes_the_mail_is_the_readers_and_not_the_senders() -> None:
    near, far = open_memory_pair("near", "far")

    def refuse(mail: list[Received]) -> None:
        raise LookupError(f"{len(mail)} too many")

    async def read() -> None:
        with pytest.raises(LookupError, match="1 too many"):
            await far.receive()

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            far.divert(refuse)
            send(near, update(1))
        send(near, update(2))  # into the void
        with pytest.raises(LookupError):
            await far.receive()
