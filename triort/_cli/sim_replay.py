"""The command ``triort sim replay``: runs a plan, and tells whether it passes, or what has failed."""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import attrs

from triort._cli.arguments import EXIT_FAILED, Parser
from triort._cli.sim_pdb import stopped_at_violations
from triort._cli.sim_plans import (
    PLAN_HELP,
    TIERS,
    add_tier,
    check_writable,
    read_whole_plan,
    run_sim_command,
    show,
    write_file,
)
from triort.testing._plan.plan import Plan
from triort.testing._report.columns import show_columns
from triort.testing._report.page import page_html
from triort.testing._report.perfetto import trace_json
from triort.testing._report.story import show_failure
from triort.testing._report.words import counted, exact, output_encoding, terminal_width
from triort.testing._run import Run
from triort.testing._seeds.neighbours import passing_neighbour
from triort.testing._seeds.state import Until, show_state
from triort.testing._seeds.trials import Trial, run_plan

PROG = "triort sim replay"


def virtual_time(text: str) -> float:
    """A point in time; the plan's time begins at 0, and the nodes start before."""
    number = float(text)
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!a} is no time")
    return number


def _parser() -> Parser:
    parser = Parser(PROG, "Run a plan, and tell whether it passes; or what has failed, and how it came to that.")
    add = parser.add_argument
    add("plan", metavar="PLAN.json", help=PLAN_HELP)
    add_tier(parser, "default: both, up to the first that fails")
    add("--until", type=virtual_time, metavar="T", help="stop at this virtual time, in seconds, and show the state")
    add("--pdb", action="store_true", help="stop in the debugger where a check fails")
    add("--html", metavar="FILE", help="write a page about the run: lanes of nodes, arrows for messages")
    add("--trace", metavar="FILE", help="write the run as a trace for Perfetto or chrome://tracing")
    add("--json", action="store_true", help="print the verdict as JSON, for programs")
    parser.add_verbose()
    return parser


@attrs.frozen
class _Request:
    path: str
    tier: int | None
    until_s: float | None
    pdb: bool
    html: str | None
    trace: str | None
    json: bool

    def run(self) -> int:
        """Replay it; 1 if it fails."""
        plan = read_whole_plan(self.path)
        for path in (self.html, self.trace):
            check_writable(path)
        runs: list[Run] = []
        for tier in TIERS if self.tier is None else (self.tier,):
            run = self._replay(plan, tier)
            runs.append(run)
            if run.violation is not None:
                break
        if self.html is not None:
            write_file(self.html, page_html(runs[-1]))
        if self.trace is not None:
            write_file(self.trace, trace_json(runs[-1]))
        if self.json:
            print(json.dumps([_verdict(run) for run in runs], indent=2))
        return EXIT_FAILED if runs[-1].violation is not None else 0

    def _replay(self, plan: Plan, tier: int) -> Run:
        until = Until(math.inf if self.until_s is None else self.until_s)
        with stopped_at_violations() if self.pdb else nullcontext():
            run = run_plan(plan, tier, keep_all=True, more_checkers=[until])
        if until.has_stopped and (run.violation is None or run.violation.check == until.name):
            run = until.cut(run)
        if not self.json:
            show(self._told(run, has_stopped=until.has_stopped))
        return run

    def _told(self, run: Run, *, has_stopped: bool) -> str:
        if run.violation is not None:
            return self._failure(run)
        return _state(run) if has_stopped else _passes(run)

    def _failure(self, run: Run) -> str:
        line = f"{PROG} {shlex.quote(self.path)} --tier {run.tier}"
        passing = None if self.pdb else passing_neighbour(run, Trial(run.tier))
        return show_failure(run, passing=passing, replay_line=line)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(argv)
    request = _Request(
        options.plan, options.tier, options.until, options.pdb, options.html, options.trace, options.json
    )
    return run_sim_command(PROG, request.run, verbose=options.verbose)


def _passes(run: Run) -> str:
    return f"{_title(run)} passes: {_figures(run)}"


def _title(run: Run) -> str:
    return f"seed {run.plan.seed}, tier {run.tier}"


def _figures(run: Run) -> str:
    missed = f", {counted(run.missed, 'fault')} without a target" if run.missed else ""
    return (
        f"{counted(run.num_events, 'event')}, {counted(run.num_messages, 'message')}, "
        f"{exact(run.now_s)} s of virtual time, trace {run.trace_hash}{missed}"
    )


def _state(run: Run) -> str:
    """What was going on when the run was stopped."""
    title = f"{_title(run)} stopped at {exact(run.now_s)} s, after {counted(run.num_events, 'event')}"
    columns = show_columns(run.events, width=terminal_width(), encoding=output_encoding()) if run.events else ""
    return "\n\n".join(filter(None, [title, show_state(run.events), columns]))


def _verdict(run: Run) -> dict[str, Any]:
    violation = run.violation
    return {
        "seed": run.plan.seed,
        "tier": run.tier,
        "passes": violation is None,
        "check": None if violation is None else violation.check,
        "text": None if violation is None else violation.text,
        "virtual_seconds": run.now_s,
        "events": run.num_events,
        "messages": run.num_messages,
        "trace": run.trace_hash,
        "missed_faults": run.missed,
        "marks": run.marks,
    }


if __name__ == "__main__":
    sys.exit(main())
