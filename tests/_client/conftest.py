"""What several modules of tests share."""

from collections.abc import Iterator

import pytest

import triort
from tests._client import pool_tasks

LONG_S = 60


@pytest.fixture(scope="module")
def pool() -> Iterator[triort.Executor]:
    """A pool of two workers, which has begun."""
    with triort.Executor(2) as pool:
        pool.submit(pool_tasks.square, 1).result(LONG_S)
        yield pool
