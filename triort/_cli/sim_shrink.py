"""The command ``triort sim shrink``: a plan that fails, made as small as can be."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs

from triort._cli.arguments import Parser, say_on_stderr
from triort._cli.sim_plans import (
    PLAN_HELP,
    TIERS,
    add_tier,
    check_writable,
    is_watched,
    read_whole_plan,
    run_sim_command,
    show,
    write_file,
)
from triort._model.errors import UsageError
from triort.testing._plan.codec import dump_plan
from triort.testing._plan.plan import Plan
from triort.testing._plan.sizes import size
from triort.testing._seeds.smaller import shrink_trial
from triort.testing._seeds.trials import Trial
from triort.testing._shrink.search import Shrunk, show_size
from triort.testing._shrink.shrink import BUDGET_S

PROG = "triort sim shrink"


def seconds(text: str) -> float:
    """A time for the search."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(text)
    return number


def _parser() -> Parser:
    parser = Parser(PROG, "Make a plan that fails as small as can be, so that it still fails by the same check.")
    add = parser.add_argument
    add("plan", metavar="PLAN.json", help=PLAN_HELP)
    add("-o", "--output", metavar="FILE", help="write the smaller plan here (default: print it)")
    add_tier(parser, "default: the first in which it fails")
    add("--seconds", type=seconds, default=BUDGET_S, metavar="S", help="search so long at most (default: %(default)g)")
    add("--json", action="store_true", help="print the figures as JSON, with the plan unless it goes to a file")
    parser.add_verbose()
    return parser


@attrs.frozen
class _Request:
    plan: str
    output: str | None
    tier: int | None
    seconds: float
    json: bool

    def run(self) -> int:
        """Shrink it, write it, tell how small it is."""
        plan = read_whole_plan(self.plan)
        check_writable(self.output)
        trial = self._trial(plan)
        start = time.perf_counter()
        with _noted() as note:
            shrunk = shrink_trial(plan, trial, budget_s=self.seconds, note=note)
        took_s = time.perf_counter() - start
        if self.output is not None:
            write_file(self.output, dump_plan(shrunk.plan))
        if self.json:
            print(json.dumps(self._figures(plan, trial, shrunk, took_s), indent=2))
        elif self.output is None:
            show(dump_plan(shrunk.plan))
            say_on_stderr(PROG, _summary(plan, shrunk, took_s))
        else:
            show(f"{self.output}: {_summary(plan, shrunk, took_s)}")
        return 0

    def _trial(self, plan: Plan) -> Trial:
        tiers = TIERS if self.tier is None else (self.tier,)
        for tier in tiers:
            if Trial(tier).fails(plan) is not None:
                return Trial(tier)
        where = f"tier {self.tier}" if self.tier else "both tiers"
        raise UsageError(f"{self.plan} passes in {where}, so there is nothing to shrink")

    def _figures(self, plan: Plan, trial: Trial, shrunk: Shrunk, took_s: float) -> dict[str, Any]:
        figures: dict[str, Any] = {
            "tier": trial.tier,
            "check": shrunk.violation.check,
            "text": shrunk.violation.text,
            "before": size(plan)._asdict(),
            "after": size(shrunk.plan)._asdict(),
            "runs": shrunk.runs,
            "seconds": round(took_s, 3),
            "is_done": shrunk.is_done,
        }
        return figures if self.output is not None else {**figures, "plan": json.loads(dump_plan(shrunk.plan))}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(argv)
    request = _Request(options.plan, options.output, options.tier, options.seconds, options.json)
    return run_sim_command(PROG, request.run, verbose=options.verbose)


def _summary(plan: Plan, shrunk: Shrunk, took_s: float) -> str:
    more = "" if shrunk.is_done else ", and the time was over before all was tried"
    return (
        f"{show_size(shrunk.plan)} (before: {show_size(plan)}) after {shrunk.runs} runs in {took_s:.1f} s{more}; "
        f"it fails {shrunk.violation}"
    )


@contextmanager
def _noted() -> Iterator[Callable[[str], object]]:
    """Shows how far it is, if somebody watches."""
    if not is_watched():
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True).status("shrinking") as status:
        yield lambda text: status.update(f"shrinking: {text}")


if __name__ == "__main__":
    sys.exit(main())
