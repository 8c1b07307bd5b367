"""Runs at the start of every Python process of a test run, and ends a server or manager that unpickles anything.

`tests.conftest` puts this folder on PYTHONPATH. A process counts as a server or manager by its command line; the
template of the workers and the workers themselves have others.
"""

import os
import sys

NODES = ("triort._cli.server", "triort._cli.manager", "journaled_server")


def abort(event: str, args: object) -> None:
    """The hook: no exception, for somebody might catch it."""
    if event == "pickle.find_class":
        os.write(2, f"a server or manager has unpickled {args!a}\n".encode())
        os.abort()


if any(node in word for word in sys.orig_argv for node in NODES):
    sys.addaudithook(abort)
