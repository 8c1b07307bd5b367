"""The command ``triort drain``: a node takes no more tasks, and leaves when those that it has are over."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial

import trio

from triort._cli.arguments import Parser, add_server
from triort._cli.running import run_command
from triort._client.opening import dial_client
from triort._model.errors import ConnectionLost, TriortError, UsageError
from triort._model.limits import STATUS_DIAL_S, STATUS_S
from triort._model.messages import NodeStatus
from triort._model.text import printable

PROG = "triort drain"


def _parser() -> Parser:
    parser = Parser(
        PROG,
        "Let a manager or worker leave: it gets no more tasks, hands back what it has not started, and ends when what "
        "runs there is over. Waits for that; Ctrl-C only stops waiting.",
    )
    parser.add_argument("node", metavar="NODE", help="its name in 'triort status', or its path: m7473/m7481")
    add_server(parser)
    parser.add_verbose()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(argv)
    return run_command(PROG, partial(_drain, options.connect, options.access, options.node), verbose=options.verbose)


async def _drain(address: str | None, access: str | None, node: str) -> None:
    async with dial_client(address, STATUS_DIAL_S, access) as client:
        with trio.move_on_after(STATUS_S) as scope:
            status = await client.status()
        if scope.cancelled_caught:
            raise ConnectionLost(f"the server has not answered within {STATUS_S:g} s")
        path = find_path(status, node)
        try:
            await client.drain(path)
        except UsageError as exc:  # it has left meanwhile
            raise TriortError(str(exc)) from None
    print(f"{PROG}: {printable(path)} has left")


def find_path(server: NodeStatus, node: str) -> str:
    """The path from the server to the one node that is called so; raises `TriortError`."""
    if node in ("", server.name):
        raise TriortError(f"{node!a} is the server: end it with Ctrl-C or SIGTERM")
    found = [path for path, name in _paths(server) if node in (name, path)]
    if node in found:
        return node
    if not found:
        raise TriortError(f"there is no node called {node!a} (see triort status)")
    if len(found) > 1:
        raise TriortError(f"{len(found)} nodes are called {node!a}; name one by its path: {', '.join(found)}")
    return found[0]


def _paths(node: NodeStatus, above: str = "") -> Iterator[tuple[str, str]]:
    for employee in node.employees:
        path = f"{above}{employee.name}"
        yield path, employee.name
        yield from _paths(employee, f"{path}/")


if __name__ == "__main__":
    sys.exit(main())
