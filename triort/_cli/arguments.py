"""What the commands have in common in reading their arguments: one line about what is wrong, and exit code 2."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from triort._model.errors import UsageError
from triort._model.text import printable
from triort._node.checks import check_num_workers, check_port, check_threads
from triort._transport.endpoints import parse_endpoint
from triort._version import __version__

EXIT_FAILED = 1
EXIT_USAGE = 2


class Parser(argparse.ArgumentParser):
    """Without the many lines of usage that argparse puts before an error."""

    def __init__(self, prog: str, description: str, **kwargs: Any) -> None:
        super().__init__(prog=prog, description=description, allow_abbrev=False, **kwargs)

    def error(self, message: str) -> NoReturn:
        """End with what is wrong."""
        complain(self.prog, f"{message} (see {self.prog} --help)")
        sys.exit(EXIT_USAGE)

    def add_verbose(self) -> None:
        """The option -v."""
        self.add_argument("-v", "--verbose", action="count", default=0, help="tell more on stderr; -vv tells all")

    def add_version(self) -> None:
        """The option --version."""
        self.add_argument("--version", action="version", version=f"triort {__version__}")


def complain(prog: str, message: str) -> None:
    """One line on stderr, whatever the message is."""
    say_on_stderr(prog, f"error: {message}")


def say_on_stderr(prog: str, message: str) -> None:
    """One line about what somebody should know, not of a program's concern."""
    print(f"{prog}: {printable(' '.join(message.split()))}", file=sys.stderr, flush=True)


def _checked(check: Callable[[int], int], noun: str) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            return check(int(text))
        except UsageError as exc:
            raise argparse.ArgumentTypeError(str(exc)) from None
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!a} is not {noun}") from None

    return parse


port_number = _checked(check_port, "a port")
worker_count = _checked(check_num_workers, "a number of workers")
thread_count = _checked(check_threads, "a number of threads")


_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def memory_size(text: str) -> int:
    """A number of bytes: ``500M``, ``2G``, ``1.5GiB``, ``0``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE | re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!a} is not a size; write 500M or 2G, or 0 for no limit")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def add_memory_limit(parser: argparse.ArgumentParser) -> None:
    """The option --memory-limit."""
    parser.add_argument(
        "--memory-limit", type=memory_size, metavar="SIZE",
        help="what each worker may have in memory, like 500M or 2G; 0: any (default: its share of this machine's)",
    )  # fmt: skip


def add_host(parser: argparse.ArgumentParser) -> None:
    """The option --host."""
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS",
        help="listen on this address; 0.0.0.0 for all (default: %(default)s, which no other machine reaches)",
    )  # fmt: skip


def add_access(parser: argparse.ArgumentParser, what: str) -> None:
    """The option --access."""
    parser.add_argument(
        "--access", metavar="PATH", help=f"{what} (default: $TRIORT_ACCESS, or the folder triort in ~/.config)"
    )


def add_server(parser: argparse.ArgumentParser) -> None:
    """The options --connect and --access, of a command about a running server."""
    parser.add_argument(
        "--connect", metavar="HOST[:PORT]", help="the server (default: as the access file says, or 127.0.0.1:7472)"
    )
    add_access(parser, "a client's access file, or a folder that has it")


def parse_endpoints(words: Sequence[str], default_port: int) -> list[tuple[str, int]]:
    """The addresses in ``HOST[:PORT][,…] …``; raises `UsageError` for a malformed one and for one named twice."""
    found = [parse_endpoint(text, default_port) for word in words for text in word.split(",")]
    twice = [endpoint for endpoint in found if found.count(endpoint) > 1]
    if twice:
        raise UsageError(f"{twice[0][0]}:{twice[0][1]} is named twice; a manager has one boss")
    return found


def count(number: int, noun: str) -> str:
    """``1 worker``, ``2 workers``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
