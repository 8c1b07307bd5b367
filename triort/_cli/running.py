"""How a command runs: signals cancel it, errors become one line, and its log goes to stderr.

SIGINT, SIGTERM and SIGHUP cancel the command's scope, so that all below it ends before it does; a second signal has its
usual effect. What was ignored when the command started (as under ``nohup``, or SIGINT in a script's background) stays
ignored.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import trio

from triort._cli.arguments import EXIT_FAILED, EXIT_USAGE, complain
from triort._model.errors import TriortError, UsageError
from triort._node.checks import describe, single_error

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


def run_command(prog: str, main: Callable[[], Awaitable[None]], *, verbose: int = 0, is_node: bool = False) -> int:
    """Run ``main`` to its end and return the exit code: 0, 1 if it failed, 2 if it was used in a wrong way.

    After a signal it is 128 and the signal's number, but 0 for a node, for which this is the usual end.
    """
    try:
        with log_to_stderr(prog, verbose):
            caught = trio.run(_run_until_signal, main)
    except UsageError as exc:
        complain(prog, str(exc))
        return EXIT_USAGE
    except BrokenPipeError:
        return mute_stdout()
    except (TriortError, OSError) as exc:
        complain(prog, describe(exc))
        return EXIT_FAILED
    except BaseException as exc:
        if isinstance(exc, BaseExceptionGroup) and exc.subgroup(BrokenPipeError):
            return mute_stdout()
        if isinstance(exc, KeyboardInterrupt) or (
            isinstance(exc, BaseExceptionGroup) and exc.subgroup(KeyboardInterrupt)
        ):
            return 0 if is_node else 128 + signal.SIGINT  # the second one: it has not waited for the end of all
        if not isinstance(exc, Exception | BaseExceptionGroup):
            raise
        if verbose > 1:  # a bug of ours: still one line
            traceback.print_exc()
        complain(prog, f"this should not happen: {describe(exc)} (-vv shows where)")
        return EXIT_FAILED
    return 0 if not caught or is_node else 128 + caught


def mute_stdout() -> int:
    """Nobody reads the output any more (``| head``): say nothing, not even at the interpreter's last flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return EXIT_FAILED


async def _run_until_signal(main: Callable[[], Awaitable[None]]) -> int:
    """Run ``main``; the number of the signal that has cancelled it, or 0."""
    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    heeded = [number for number in wanted if signal.getsignal(number) is not signal.SIG_IGN]
    caught = 0

    async def watch(task_status: trio.TaskStatus[None]) -> None:
        nonlocal caught
        with trio.open_signal_receiver(*heeded) as arrivals:
            task_status.started()
            async for number in arrivals:
                caught = number
                break
        nursery.cancel_scope.cancel()

    with single_error():
        async with trio.open_nursery() as nursery:
            if heeded:
                await nursery.start(watch)
            await main()
            nursery.cancel_scope.cancel()
    for number in heeded:  # all has ended: a signal that comes late (Ctrl-C goes to all nodes at once) changes nothing
        signal.signal(number, signal.SIG_IGN)
    return caught


@contextmanager
def log_to_stderr(prog: str, verbose: int) -> Iterator[None]:
    """Show what triort's own loggers say; the root logger belongs to others."""
    logger = logging.getLogger("triort")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"{prog}: %(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(_LEVELS[min(verbose, len(_LEVELS) - 1)])
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before


def import_from_cwd() -> None:
    """Let workers import what lies in the working directory, as ``python -m`` does; the folder of the installed
    command, which stands in its place, has nothing for them."""
    script = os.path.dirname(os.path.realpath(sys.argv[0] or "."))
    if sys.path and os.path.realpath(sys.path[0]) == script:
        sys.path[0] = os.getcwd()
    elif "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
