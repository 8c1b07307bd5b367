"""Commands for tests."""

from collections.abc import Iterator

import pytest

from tests._cli.commands import Commands, open_commands


@pytest.fixture
def commands() -> Iterator[Commands]:
    with open_commands() as opened:
        yield opened
