"""A connected pair of each transport, and one that lends."""

import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import trio

from tests._transport.check_connection import TRANSPORTS, Pair
from tests._transport.lending import STORES, Ends, memory_descriptors, open_ends
from triort._wire.shared import Shared


@pytest.fixture(params=TRANSPORTS, ids=lambda make: make.__name__)
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    make: Callable[[Path], Awaitable[Pair]] = request.param
    near, far = await make(tmp_path)
    with trio.fail_after(20):
        yield near, far
    near.close()
    far.close()


@pytest.fixture
def no_loans_left() -> Iterator[None]:
    """After the test this process has nothing any more of what was lent."""
    yield
    while STORES:
        STORES.pop().clear()
    gc.collect()
    assert Shared.held == set()
    assert memory_descriptors() == []


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    near, far = open_ends()
    try:
        with trio.fail_after(20):
            yield near, far
    finally:
        near.close()
        far.close()
