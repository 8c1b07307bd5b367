"""The command ``triort run``: one function as a job, on a cluster of its own or on a running server."""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from triort._cli.arguments import EXIT_FAILED, EXIT_USAGE, Parser, add_access, add_memory_limit, complain, worker_count
from triort._cli.running import import_from_cwd, mute_stdout, run_command
from triort._client.embedded import open_cluster
from triort._client.opening import open_client
from triort._client.source import load_named_function
from triort._model.errors import RemoteTraceback, TriortError, UsageError

PROG = "triort run"


class _Job:
    """What is to be run where, and what came of it."""

    def __init__(self, function: Callable[..., Any], options: argparse.Namespace) -> None:
        self.function = function
        self.options = options
        self.value: Any = None
        self.failure: Exception | None = None

    async def run(self) -> None:
        """Run it; what the task raises is kept in ``failure``."""
        options = self.options
        if options.connect is None:
            opened = open_cluster(options.num_workers, memory_limit=options.memory_limit)
        else:
            opened = open_client(options.connect, access=options.access)
        async with opened as client:
            try:
                self.value = await client.run(self.function, *[read_argument(text) for text in options.args])
            except Exception as exc:
                if isinstance(exc, TriortError) and not isinstance(exc.__cause__, RemoteTraceback):
                    raise
                self.failure = exc


def _parser() -> Parser:
    parser = Parser(
        PROG,
        "Run a function as a job and print its result.",
        epilog="An argument that is a Python literal is passed as its value, any other as text.",
    )
    add = parser.add_argument
    add("function", metavar="FILE:FUNCTION", help="a file's path, or a module that workers can import, and a function")
    add("args", nargs="*", metavar="ARG", help="arguments for the function")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-n", "--num-workers", type=worker_count, default=-1, metavar="N",
        help="workers to start for it (default: one for each CPU)")  # fmt: skip
    where.add_argument("--connect", metavar="HOST[:PORT]", help="run it on this server")
    add_access(parser, "with --connect: a client's access file, or a folder that has it")
    add_memory_limit(parser)
    add("--json", action="store_true", help="print the result as JSON")
    parser.add_verbose()
    return parser


def read_argument(text: str) -> Any:
    """The value of a Python literal; any other text as it is."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    options = parser.parse_intermixed_args(argv)
    if options.connect is not None and options.memory_limit is not None:
        parser.error("argument --memory-limit: with --connect the server's managers have the workers")
    import_from_cwd()
    try:
        function = load_named_function(options.function)
    except UsageError as exc:
        complain(PROG, str(exc))
        return EXIT_USAGE
    job = _Job(function, options)
    code = run_command(PROG, job.run, verbose=options.verbose)
    if code:
        return code
    if job.failure is not None:
        return _report_failure(job.failure, options.function, options.verbose)
    return _print_value(job.value, options.json)


def _report_failure(failure: Exception, name: str, verbose: int) -> int:
    kind, text = type(failure).__qualname__, str(failure)
    if verbose and isinstance(failure.__cause__, RemoteTraceback):
        sys.stderr.write(str(failure.__cause__).lstrip("\n"))
    hint = "" if verbose else " (-v shows where)"
    complain(PROG, f"{name} raised {kind}: {text[:2000]}{hint}" if text else f"{name} raised {kind}{hint}")
    return EXIT_FAILED


def _print_value(value: Any, as_json: bool) -> int:
    try:
        text = json.dumps(value) if as_json else repr(value)
    except (TypeError, ValueError, RecursionError) as exc:
        complain(PROG, f"the result cannot be shown as JSON: {exc}")
        return EXIT_FAILED
    try:
        print(text, flush=True)
    except BrokenPipeError:
        return mute_stdout()
    return 0


if __name__ == "__main__":
    sys.exit(main())
