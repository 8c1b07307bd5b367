"""The command ``triort-manager``: a manager that spawns workers, waits for them, or manages other managers."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from triort._cli.arguments import (
    EXIT_USAGE,
    Parser,
    add_access,
    add_host,
    add_memory_limit,
    complain,
    count,
    parse_endpoints,
    port_number,
    say_on_stderr,
    worker_count,
)
from triort._cli.running import import_from_cwd, run_command
from triort._model.errors import UsageError
from triort._node.defaults import DEFAULT_MANAGER_PORT, DEFAULT_SERVER_PORT, DEFAULT_WORKER_PORT, count_cpus
from triort._node.manager import Manager
from triort._transport.endpoints import parse_endpoint, show_endpoint

PROG = "triort-manager"


def _parser() -> Parser:
    parser = Parser(PROG, "Run a manager: it listens for its boss, a server or another manager, and manages workers.")
    add = parser.add_argument
    add("-n", "--num-workers", type=worker_count, metavar="N", help="workers to start (default: one for each CPU)")
    add("-m", "--managers", nargs="+", metavar="HOST[:PORT][,...]", help="manage these managers instead of workers")
    add(
        "-p",
        "--port",
        type=port_number,
        metavar="PORT",
        help=f"listen here for the boss; 0 picks a free port (default: {DEFAULT_MANAGER_PORT}; a free one with --join)",
    )
    add("--join", metavar="HOST[:PORT]",
        help="join the server (at its port for clients) or manager that listens there")  # fmt: skip
    add("-w", "--worker-port", type=port_number, metavar="PORT",
        help=f"with -x: listen here for workers; 0 picks a free port (default: {DEFAULT_WORKER_PORT})")  # fmt: skip
    add("-x", "--only-connect", action="store_true", help="start no workers, wait for those of triort-worker")
    add_memory_limit(parser)
    add_host(parser)
    add_access(parser, "the access file of this node, or a folder that has it")
    parser.add_verbose()
    parser.add_version()
    return parser


def _announce(manager: Manager) -> None:
    workers = count(count_cpus() if manager.num_workers == -1 else manager.num_workers, "worker")
    if manager.ipports is not None:
        plan = f"will connect to {count(len(manager.ipports), 'manager')}"
    elif manager.only_connect:
        plan = f"will wait for {workers} on 127.0.0.1:{manager.worker_port}"
    else:
        plan = f"will start {workers}"
    place = show_endpoint(manager.host, manager.port)
    if manager.join is not None:
        what = f"joins {show_endpoint(*manager.join)}, listening for managers on {place}"
    else:
        what = f"listening for its boss on {place}"
    print(f"{PROG} {manager.name}: {what}, {plan}", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(argv)
    ignored = []
    if options.managers is not None:
        ignored = [("-n", options.num_workers), ("-x", options.only_connect or None), ("-w", options.worker_port)]
    elif not options.only_connect:
        ignored = [("-w", options.worker_port)]
    for flag, value in ignored:
        if value is not None:
            reason = "with -m the managers below have the workers" if options.managers else "it belongs to -x"
            say_on_stderr(PROG, f"{flag} is ignored: {reason}")
    import_from_cwd()
    port = options.port
    if port is None:
        port = DEFAULT_MANAGER_PORT if options.join is None else 0
    try:
        manager = Manager(
            port,
            options.num_workers or -1,
            None if options.managers is None else parse_endpoints(options.managers, DEFAULT_MANAGER_PORT),
            DEFAULT_WORKER_PORT if options.worker_port is None else options.worker_port,
            options.only_connect,
            host=options.host,
            access=options.access,
            memory_limit=options.memory_limit,
            join=None if options.join is None else parse_endpoint(options.join, DEFAULT_SERVER_PORT),
        )
    except UsageError as exc:
        complain(PROG, str(exc))
        return EXIT_USAGE
    manager.on_listening = _announce
    return run_command(PROG, manager.run, verbose=options.verbose, is_node=True)


if __name__ == "__main__":
    sys.exit(main())
