"""The command ``triort sim``: replay, shrink, diff and show the plans of simulated runs."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence

from triort._cli.arguments import Parser

PROG = "triort sim"
COMMANDS = {
    "replay": "run a plan, and tell whether it passes; or what has failed, and how it came to that",
    "shrink": "make a plan that fails as small as can be",
    "diff": "show where two plans differ, and where their runs part",
    "show": "show a plan in a form that can be read",
}


def _parser() -> Parser:
    lines = "\n".join(f"  {name:<8}{text}" for name, text in COMMANDS.items())
    parser = Parser(
        PROG,
        "Work with the plans of simulated runs, as a failing simulation writes them.",
        usage=f"{PROG} [-h] COMMAND ...",
        epilog=f"commands ('{PROG} COMMAND --help' tells more):\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", metavar="COMMAND", choices=COMMANDS, help=argparse.SUPPRESS)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] not in COMMANDS:
        _parser().parse_args(words[:1])
    module = importlib.import_module(f"triort._cli.sim_{words[0]}")
    command: Callable[[Sequence[str]], int] = module.main
    return command(words[1:])


if __name__ == "__main__":
    sys.exit(main())
