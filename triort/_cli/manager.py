"""The command ``triort-manager``: a manager that spawns workers, waits for them, or manages other managers."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from triort._cli.arguments import (
    EXIT_USAGE,
    Parser,
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
from triort._node.manager import Manager
from triort._node.server_base import DEFAULT_MANAGER_PORT, DEFAULT_WORKER_PORT, count_cpus

PROG = "triort-manager"


def _parser() -> Parser:
    parser = Parser(PROG, "Run a manager: it listens for its boss, a server or another manager, and manages workers.")
    add = parser.add_argument
    add("-n", "--num-workers", type=worker_count, metavar="N", help="workers to start (default: one for each CPU)")
    add("-m", "--managers", nargs="+", metavar="HOST[:PORT][,...]", help="manage these managers instead of workers")
    add("-p", "--port", type=port_number, default=DEFAULT_MANAGER_PORT, metavar="PORT",
        help="listen here for the boss; 0 picks a free port (default: %(default)s)")  # fmt: skip
    add("-w", "--worker-port", type=port_number, metavar="PORT",
        help=f"with -x: listen here for workers; 0 picks a free port (default: {DEFAULT_WORKER_PORT})")  # fmt: skip
    add("-x", "--only-connect", action="store_true", help="start no workers, wait for those of triort-worker")
    add_memory_limit(parser)
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
    print(f"{PROG} {manager.name}: listening for its boss on {manager.host}:{manager.port}, {plan}", flush=True)


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
    try:
        manager = Manager(
            options.port,
            options.num_workers or -1,
            None if options.managers is None else parse_endpoints(options.managers, DEFAULT_MANAGER_PORT),
            DEFAULT_WORKER_PORT if options.worker_port is None else options.worker_port,
            options.only_connect,
            memory_limit=options.memory_limit,
        )
    except UsageError as exc:
        complain(PROG, str(exc))
        return EXIT_USAGE
    manager.on_listening = _announce
    return run_command(PROG, manager.run, verbose=options.verbose, is_node=True)


if __name__ == "__main__":
    sys.exit(main())
