"""The command ``triort sim show``: a plan in a form that can be read."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from triort._cli.arguments import Parser
from triort._cli.sim_plans import PLAN_HELP, read_plan, run_sim_command, show
from triort.testing._plan.codec import dump_plan
from triort.testing._report.plans import show_plan

PROG = "triort sim show"


def _parser() -> Parser:
    parser = Parser(PROG, "Show a plan: the tree of nodes, jobs and their tasks, faults.")
    parser.add_argument("plan", metavar="PLAN.json", help=PLAN_HELP)
    parser.add_argument("--json", action="store_true", help="print it as JSON, in the form in which plans are written")
    parser.add_verbose()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(argv)
    return run_sim_command(PROG, lambda: _show(options.plan, options.json), verbose=options.verbose)


def _show(path: str, as_json: bool) -> int:
    plan = read_plan(path)
    show(dump_plan(plan) if as_json else show_plan(plan))
    return 0


if __name__ == "__main__":
    sys.exit(main())
