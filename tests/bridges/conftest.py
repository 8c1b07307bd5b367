"""What several modules of tests share."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="module")
def compiler() -> Iterator[Any]:
    """A Compiler of two workers; imported here, for other modules do without BQSKit."""
    from triort.bridges.bqskit import Compiler

    with Compiler(num_workers=2) as compiler:
        yield compiler
