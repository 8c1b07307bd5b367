"""The command ``triort-server``: the root of the node tree, to which clients connect."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from triort._cli.arguments import (
    EXIT_USAGE,
    Parser,
    add_access,
    add_host,
    complain,
    count,
    parse_endpoints,
    port_number,
)
from triort._cli.running import run_command
from triort._model.errors import UsageError
from triort._node.defaults import DEFAULT_MANAGER_PORT, DEFAULT_SERVER_PORT
from triort._node.server import Server
from triort._transport.endpoints import show_endpoint

PROG = "triort-server"


def _parser() -> Parser:
    parser = Parser(PROG, "Run a server: it connects to its managers, and then listens for clients.")
    add = parser.add_argument
    add("managers", nargs="*", metavar="HOST[:PORT][,...]",
        help=f"where the managers listen (default: 127.0.0.1:{DEFAULT_MANAGER_PORT})")  # fmt: skip
    add("-p", "--port", type=port_number, default=DEFAULT_SERVER_PORT, metavar="PORT",
        help="listen here for clients; 0 picks a free port (default: %(default)s)")  # fmt: skip
    add("--join", action="store_true", help="connect to no managers: they will join (triort-manager --join)")
    add("--journal", metavar="FILE",
        help="keep jobs and outcomes in this file, so that a server started anew with it takes them up")  # fmt: skip
    add_host(parser)
    add_access(parser, "the access file of the server, or a folder that has it")
    parser.add_verbose()
    parser.add_version()
    return parser


def _announce(server: Server) -> None:
    print(
        f"{PROG}: listening for clients on {show_endpoint(server.host, server.port or 0)}, with "
        f"{count(server.total_workers, 'worker')} below {count(len(server.ipports or ()), 'manager')}",
        flush=True,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    options = parser.parse_intermixed_args(argv)
    if options.join and options.managers:
        parser.error("--join is for a server that connects to no managers; others may be joined without it")
    words = [] if options.join else options.managers or ["127.0.0.1"]
    try:
        managers = parse_endpoints(words, DEFAULT_MANAGER_PORT)
        server = Server(managers, options.port, host=options.host, access=options.access, journal=options.journal)
    except UsageError as exc:
        complain(PROG, str(exc))
        return EXIT_USAGE
    server.on_listening = _announce
    return run_command(PROG, server.run, verbose=options.verbose, is_node=True)


if __name__ == "__main__":
    sys.exit(main())
