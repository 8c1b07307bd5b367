"""Runs a command of triort without TLS, for comparison: ``python -m tests.benchmarks.plain_node MODULE [ARGUMENT…]``.

The product has no switch for that. Its transport goes without TLS where it is given no access, on loopback only; here a
node's machine is made to give none.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import PropertyMock, patch

from triort._node.machine import OwnMachine


@contextmanager
def without_tls() -> Iterator[None]:
    """Inside, what this process dials and accepts has no TLS."""
    with patch.object(OwnMachine, "access", PropertyMock(return_value=None)):
        yield


def main() -> int:
    name, *words = sys.argv[1:]
    with without_tls():
        code: int = importlib.import_module(name).main(words)
    return code


if __name__ == "__main__":
    sys.exit(main())
