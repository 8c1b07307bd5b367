"""What the commands of ``triort sim`` have in common: how they run, read plans, write files and print."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from triort._cli.arguments import EXIT_FAILED, EXIT_USAGE, Parser, complain
from triort._model.errors import UsageError
from triort._node.checks import describe
from triort.testing._plan.codec import load_plan
from triort.testing._plan.plan import Plan
from triort.testing._report.words import encodable, output_encoding

TIERS = (1, 2)
PLAN_HELP = "the file of a plan, as a failing simulation writes it"


def run_sim_command(prog: str, command: Callable[[], int], *, verbose: int) -> int:
    """Run the command and return its exit code: its own, 2 if it was used in a wrong way, 130 after Ctrl-C."""
    try:
        return command()
    except UsageError as exc:
        complain(prog, str(exc))
        return EXIT_USAGE
    except BrokenPipeError:
        raise
    except BaseException as exc:
        if isinstance(exc, KeyboardInterrupt) or (
            isinstance(exc, BaseExceptionGroup) and exc.subgroup(KeyboardInterrupt)
        ):
            return 128 + signal.SIGINT
        if not isinstance(exc, Exception | BaseExceptionGroup):
            raise
        if verbose > 1:  # a bug of ours: still one line
            traceback.print_exc()
        complain(prog, f"this should not happen: {describe(exc)} (-vv shows where)")
        return EXIT_FAILED


def add_tier(parser: Parser, text: str) -> None:
    """The option --tier."""
    parser.add_argument("--tier", type=int, choices=TIERS, help=f"1: the pure cores; 2: the real nodes ({text})")


def read_plan(path: str) -> Plan:
    """The plan in a file; raises `UsageError`, one line about what is wrong with it."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"there is no file {path!r}") from None
    except IsADirectoryError:
        raise UsageError(f"{path!r} is a folder, not the file of a plan") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: it is no text, so no plan") from None
    except (OSError, ValueError) as exc:  # a name may hold what no file's name can
        raise UsageError(f"{path!r} cannot be read: {getattr(exc, 'strerror', None) or exc}") from None
    return load_plan(text, path)


def read_whole_plan(path: str) -> Plan:
    """As `read_plan`; raises `UsageError` also if the load is not in the plan, but in a test of a user."""
    plan = read_plan(path)
    if plan.test:
        line = f"TRIORT_SIM_PLAN={shlex.quote(path)} pytest {shlex.quote(plan.test)}"
        raise UsageError(f"{path}: the plan belongs to a test; replay it by: {line}")
    return plan


def check_writable(path: str | None) -> None:
    """Raise `UsageError` if a file cannot be written there, before much time is spent on what would be in it."""
    if path is not None:
        folder = os.path.dirname(path) or "."
        if os.path.isdir(path):
            raise UsageError(f"{path!r} cannot be written: it is a folder")
        if not os.path.isdir(folder):
            raise UsageError(f"{path!r} cannot be written: there is no folder {folder!r}")


def write_file(path: str, text: str) -> None:
    """Write a file; raises `UsageError` if that cannot be."""
    try:
        Path(path).write_text(text, encoding="utf-8", newline="\n")
    except (OSError, ValueError) as exc:
        raise UsageError(f"{path!r} cannot be written: {getattr(exc, 'strerror', None) or exc}") from None


def show(text: str) -> None:
    """Print what may hold signs that the terminal does not have."""
    print(encodable(text.rstrip("\n"), output_encoding()), flush=True)


def is_watched() -> bool:
    """Whether somebody sees what happens meanwhile."""
    return sys.stderr.isatty()
