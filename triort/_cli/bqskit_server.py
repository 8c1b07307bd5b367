"""The command ``triort-bqskit-server``: unmodified Compilers of BQSKit connect to it, and compile on triort."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from triort._cli.arguments import (
    EXIT_FAILED,
    Parser,
    add_access,
    complain,
    count,
    port_number,
    thread_count,
    worker_count,
)
from triort._cli.running import import_from_cwd, run_command
from triort._node.defaults import DEFAULT_SERVER_PORT, count_cpus

if TYPE_CHECKING:
    from triort.bridges.bqskit._gateway import Gateway

PROG = "triort-bqskit-server"


def _parser() -> Parser:
    parser = Parser(
        PROG,
        "Serve Compilers of BQSKit that know nothing of triort: bqskit.compiler.Compiler('localhost').",
        epilog="It listens on loopback only, and serves processes of its own user only: BQSKit's protocol knows no "
        "authentication. From other hosts use triort.bridges.bqskit.Compiler.",
    )
    add = parser.add_argument
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-n", "--num-workers", type=worker_count, default=-1, metavar="N",
        help="workers to start (default: one for each CPU)")  # fmt: skip
    where.add_argument("--connect", metavar="HOST[:PORT]", help="use the workers of this triort server")
    add_access(parser, "with --connect: a client's access file, or a folder that has it")
    add("-p", "--port", type=port_number, default=DEFAULT_SERVER_PORT, metavar="PORT",
        help="listen here; 0 picks a free port (default: %(default)s, where BQSKit's clients look)")  # fmt: skip
    add("-t", "--blas-threads", type=thread_count, metavar="N",
        help="threads of numeric libraries in each worker (default: 1)")  # fmt: skip
    parser.add_verbose()
    parser.add_version()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.connect is not None and options.blas_threads is not None:
        parser.error("argument -t: with --connect the server's managers have the workers")
    import_from_cwd()
    try:
        from triort.bridges.bqskit import _serving
    except ImportError as exc:
        complain(PROG, str(exc))
        return EXIT_FAILED

    def announce(gateway: Gateway) -> None:
        if options.connect is not None:
            whose = f"on the workers of {options.connect}"
        else:
            whose = f"with {count(count_cpus() if options.num_workers == -1 else options.num_workers, 'worker')}"
        print(f"{PROG}: listening for BQSKit's clients on 127.0.0.1:{gateway.port}, {whose}", flush=True)

    async def run() -> None:
        await _serving.serve_gateway(
            options.port, options.num_workers, options.connect, options.access, options.blas_threads or 1, announce
        )

    return run_command(PROG, run, verbose=options.verbose, is_node=True)


if __name__ == "__main__":
    sys.exit(main())
