"""The command ``triort-worker``: workers that connect by themselves to a manager of this host."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from triort._cli.arguments import Parser, count, port_number, thread_count, worker_count
from triort._cli.running import import_from_cwd, run_command
from triort._node.defaults import DEFAULT_WORKER_PORT, count_cpus
from triort._node.worker_host import HOST, WorkerHost

PROG = "triort-worker"


def _parser() -> Parser:
    parser = Parser(PROG, "Run workers for a manager on this host that waits for them (triort-manager -x).")
    add = parser.add_argument
    add("num_workers", type=worker_count, metavar="N", help="how many; -1 for one on each CPU")
    add("-c", "--cpus", nargs="+", type=int, metavar="CPU", help="pin the workers to these CPUs, one each in turn")
    add("-p", "--port", type=port_number, default=DEFAULT_WORKER_PORT, metavar="PORT",
        help="the worker port of the manager (default: %(default)s)")  # fmt: skip
    add("-t", "--blas-threads", type=thread_count, default=1, metavar="THREADS",
        help="threads that numeric libraries use in each worker (default: %(default)s)")  # fmt: skip
    parser.add_verbose()
    parser.add_version()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    usable = os.sched_getaffinity(0)
    if options.port == 0:
        parser.error("argument -p/--port: a manager's port is wanted, not 0")
    if strange := [cpu for cpu in options.cpus or () if cpu not in usable]:
        parser.error(f"argument -c/--cpus: CPU {strange[0]} is not among {sorted(usable)}, which this process may use")
    import_from_cwd()
    num_workers = count_cpus() if options.num_workers == -1 else options.num_workers

    def announce() -> None:
        print(f"{PROG}: {count(num_workers, 'worker')} for the manager at {HOST}:{options.port}", flush=True)

    host = WorkerHost(num_workers, options.port, options.cpus, options.blas_threads, announce)
    return run_command(PROG, host.run, verbose=options.verbose, is_node=True)


if __name__ == "__main__":
    sys.exit(main())
