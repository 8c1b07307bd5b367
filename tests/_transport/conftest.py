"""A connected pair of each transport."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import trio

from tests._transport.check_connection import TRANSPORTS, Pair


@pytest.fixture(params=TRANSPORTS, ids=lambda make: make.__name__)
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    make: Callable[[Path], Awaitable[Pair]] = request.param
    near, far = await make(tmp_path)
    with trio.fail_after(20):
        yield near, far
    near.close()
    far.close()
