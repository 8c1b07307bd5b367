"""The command ``triort sim diff``: where two plans differ, and where their runs part."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from triort._cli.arguments import Parser
from triort._cli.sim_plans import PLAN_HELP, add_tier, read_whole_plan, run_sim_command, show
from triort.testing._report.differences import ending, outcome_differences, plan_differences, show_diff
from triort.testing._report.divergence import first_divergence
from triort.testing._seeds.trials import run_plan

PROG = "triort sim diff"
DEFAULT_TIER = 2


def _parser() -> Parser:
    parser = Parser(PROG, "Show where two plans differ, how each ends, and the first event at which their runs part.")
    parser.add_argument("a", metavar="A.json", help=PLAN_HELP)
    parser.add_argument("b", metavar="B.json", help="another one")
    add_tier(parser, f"default: {DEFAULT_TIER}")
    parser.add_argument("--json", action="store_true", help="print the differences as JSON, for programs")
    parser.add_verbose()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(argv)
    tier = options.tier or DEFAULT_TIER
    return run_sim_command(PROG, lambda: _diff(options.a, options.b, tier, options.json), verbose=options.verbose)


def _diff(a: str, b: str, tier: int, as_json: bool) -> int:
    plans = [read_whole_plan(path) for path in (a, b)]
    one, other = (run_plan(plan, tier, keep_all=True) for plan in plans)
    names = (a, b) if a != b else ("a", "b")
    if not as_json:
        show(show_diff(one, other, names))
        return 0
    parting = first_divergence(one.events, other.events)
    figures = {
        "tier": tier,
        "plans": plan_differences(one.plan, other.plan, names),
        "ends": {name: ending(run) for name, run in zip(names, (one, other), strict=True)},
        "first_different_event": None if parting is None else parting.index,
        "outcomes": outcome_differences(one, other),
    }
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
