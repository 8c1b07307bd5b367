"""The command ``triort``, with those that belong to it."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence

from triort._cli.arguments import Parser
from triort._cli.running import mute_stdout

COMMANDS = {
    "demo": "show a nested search on a cluster of this machine's CPUs, and how much faster it is",
    "drain": "let a manager or worker leave when what runs there is over",
    "init": "make the access files of a cluster, or replace them by new ones",
    "run": "run a function of a file or module as a job, and print its result",
    "sim": "replay, shrink, compare and show the plans of simulated runs",
    "status": "show the node tree of a running server",
}


def _parser() -> Parser:
    lines = "\n".join(f"  {name:<8}{text}" for name, text in COMMANDS.items())
    parser = Parser(
        "triort",
        "Run trees of Python tasks over a tree of processes.",
        usage="triort [-h] [--version] COMMAND ...",
        epilog=f"commands ('triort COMMAND --help' tells more):\n{lines}\n\n"
        "The nodes are started by triort-server, triort-manager and triort-worker.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", metavar="COMMAND", choices=COMMANDS, help=argparse.SUPPRESS)
    parser.add_version()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] not in COMMANDS:
        _parser().parse_args(words[:1])
    module = importlib.import_module(f"triort._cli.{words[0]}")
    command: Callable[[Sequence[str]], int] = module.main
    try:
        code = command(words[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        return mute_stdout()
    return code


if __name__ == "__main__":
    sys.exit(main())
