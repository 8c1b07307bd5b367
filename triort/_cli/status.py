"""The command ``triort status``: the node tree of a running server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import trio

from triort._cli.arguments import Parser, add_server, count
from triort._cli.running import run_command
from triort._client.opening import dial_client
from triort._model.errors import ConnectionLost
from triort._model.limits import STATUS_DIAL_S, STATUS_S
from triort._model.messages import NodeStatus
from triort._model.text import printable, readable

if TYPE_CHECKING:
    from rich.tree import Tree

PROG = "triort status"


def _parser() -> Parser:
    parser = Parser(PROG, "Show the node tree of a running server.")
    add_server(parser)
    parser.add_argument("--json", action="store_true", help="print the tree as JSON, for programs")
    parser.add_verbose()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(argv)
    return run_command(
        PROG, partial(_show_status, options.connect, options.access, options.json), verbose=options.verbose
    )


async def _show_status(address: str | None, access: str | None, as_json: bool) -> None:
    async with dial_client(address, STATUS_DIAL_S, access) as client:
        with trio.move_on_after(STATUS_S) as scope:
            status = await client.status()
    if scope.cancelled_caught:
        raise ConnectionLost(f"the server has not answered within {STATUS_S:g} s")
    if as_json:
        print(json.dumps(as_dict(status), indent=2))
    elif sys.stdout.isatty():
        from rich.console import Console

        Console(highlight=False).print(_as_tree(status))
    else:
        print("\n".join(_as_lines(status)))


def as_dict(status: NodeStatus) -> dict[str, Any]:
    """A node as JSON shows it, with its employees as a list of the same."""
    fields = msgspec.structs.asdict(status)
    fields["employees"] = [as_dict(employee) for employee in status.employees]
    return fields


def describe(status: NodeStatus) -> str:
    """What there is to say about a node."""
    if status.kind == "worker":
        load = "idle" if status.idle_workers else "busy"
    else:
        load = f"{count(status.num_workers, 'worker')}, {status.idle_workers} idle"
    text = f"pid {status.pid}, {load}, {count(status.tasks, 'task')}"
    if status.done:
        text += f", {status.done:,} done ({status.rate:,.0f} a second)"
    if status.backlog:
        text += f", {status.backlog} waiting here"
    if status.running:
        text += f", runs {readable(status.running)}"
    if status.memory_bytes:
        text += f", {status.memory_bytes >> 20} MiB"
    if status.restarts:
        text += f", {count(status.restarts, 'restart')}"
    if status.losses:
        text += f", {status.losses} lost ({status.blamed} by a task)"
    if status.state:
        text += f", {readable(status.state)}"
    return text


def _as_lines(status: NodeStatus, indent: str = "") -> Iterator[str]:
    yield f"{indent}{readable(status.kind)} {readable(status.name)}: {printable(describe(status))}"
    for employee in status.employees:
        yield from _as_lines(employee, indent + "  ")


def _as_tree(status: NodeStatus) -> Tree:
    from rich.text import Text
    from rich.tree import Tree

    color = "green" if status.idle_workers else "yellow"
    name, kind, text = readable(status.name), readable(status.kind), printable(describe(status))
    label = Text.assemble(kind, " ", (name, "bold"), ": ", (text, color))
    tree = Tree(label)
    for employee in status.employees:
        tree.add(_as_tree(employee))
    return tree
