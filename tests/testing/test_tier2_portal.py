"""Sync code deep below a coroutine waits in trio, and gets values, errors and cancels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import greenlet
import pytest
import trio

from triort.testing._tier2.portal import Portal
from triort.testing._trio.run import run


async def double(value: int) -> int:
    await trio.sleep(1)
    return 2 * value


def in_greenlet(fn: Callable[[], object]) -> object:
    """As a worker runs a user's function."""
    return greenlet.greenlet(fn).switch()


def test_a_value_comes_back_through_two_greenlets() -> None:
    async def loop(portal: Portal) -> object:
        await trio.sleep(1)
        result = in_greenlet(lambda: portal.wait(double, 21))
        await trio.sleep(1)
        return result

    async def main() -> None:
        portal = Portal()
        assert await portal.run(loop, portal) == 42
        assert trio.current_time() == 3.0

    run(main)


def test_an_error_is_raised_where_the_sync_code_waits() -> None:
    async def fail() -> None:
        await trio.sleep(1)
        raise KeyError("k")

    async def loop(portal: Portal) -> object:
        def work() -> str:
            try:
                portal.wait(fail)
            except KeyError:
                return "seen"
            return "missed"

        return in_greenlet(work)

    async def main() -> None:
        portal = Portal()
        assert await portal.run(loop, portal) == "seen"

    run(main)


def test_an_error_of_the_loop_comes_out_and_a_cancel_goes_in() -> None:
    async def loop() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise KeyError("out")

    async def main() -> None:
        with trio.move_on_after(1), pytest.raises(KeyError):
            await Portal().run(loop)

    run(main)


def test_many_portals_take_turns() -> None:
    order: list[tuple[int, int]] = []

    async def loop(portal: Portal, number: int) -> None:
        def work() -> None:
            for turn in range(3):
                portal.wait(trio.sleep, 1 + number / 10)
                order.append((turn, number))

        in_greenlet(work)

    async def start(number: int, run_in: Callable[..., Awaitable[object]]) -> None:
        portal = Portal()
        await portal.run(loop, portal, number)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(start, number, loop)

    run(main)
    assert order == [(turn, number) for turn in range(3) for number in range(3)]
