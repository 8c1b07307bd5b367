"""A connected pair of each transport, and one that lends; a place that listens with TLS."""

import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import trio

from tests._transport.check_connection import TRANSPORTS, Pair
from tests._transport.lending import STORES, Ends, memory_descriptors, open_ends
from tests._transport.tls_place import HOST, Place
from tests.access import new_authority, write_access
from triort._access.access import Access
from triort._model.roles import Badge
from triort._transport.tcp import close_listener, listen_tcp
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_access(tmp_path / "a", new_authority())


@pytest.fixture
async def place(folder: Path) -> AsyncIterator[Place]:
    access = Access(Badge.SERVER, folder)
    [listener] = await listen_tcp(HOST, 0, access)
    with trio.fail_after(20):
        yield Place(listener, access)
    close_listener(listener)
