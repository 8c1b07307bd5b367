"""Checks seeds: makes a plan of each, runs it in the tiers, and tells the story of one that fails.

To run a seed takes a fraction of a second, to explain its failure takes many runs. So the two are apart, for those who
have many seeds: `try_seed`, then `explain` for some of those that have failed.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

import attrs
import msgspec

from triort._model.errors import UsageError
from triort._version import __version__
from triort.testing._plan.codec import dump_plan
from triort.testing._plan.draws import Draws
from triort.testing._plan.generate import generate
from triort.testing._plan.plan import Plan
from triort.testing._report.files import write_reports
from triort.testing._report.story import show_failure
from triort.testing._run import Run
from triort.testing._seeds.neighbours import passing_neighbour
from triort.testing._seeds.smaller import shrink_trial
from triort.testing._seeds.trials import TIERS, Trial
from triort.testing._shrink.search import Note

REPORTS = "sim-failures"
SHRINK_S = 30.0
RUN_TWICE_SHARE = 0.05
Make = Callable[[int], Plan]


@attrs.frozen
class Tried:
    """How a seed did."""

    seed: int
    marks: Counter[str]
    """How often each mark was hit, in all tiers."""
    num_events: int
    trial: Trial | None = None
    """The first trial that failed; None if none did."""
    check: str = ""
    text: str = ""
    """What has failed, and what was seen."""


@attrs.frozen
class Failure:
    """A failure, explained."""

    plan: Plan
    """The plan of the seed."""
    trial: Trial
    check: str
    text: str
    """The whole story: replay line, shrunk plan, last events, first divergence from a passing run, files."""
    shrunk: Plan
    runs: int
    """How many plans were run to shrink it."""
    files: tuple[Path, ...] = ()
    """Plan, trace and page of the shrunk plan; the plan of the seed."""


def trials_of(seed: int, tiers: Sequence[int]) -> list[Trial]:
    """What a seed goes through: each tier, now and then twice; with both, their outcomes are compared."""
    draws = Draws(seed)
    return [
        Trial(tier, draws.chance(RUN_TWICE_SHARE, "run twice"), is_compared=tier == 2 and 1 in tiers)
        for tier in sorted(set(tiers))
    ]


def try_seed(seed: int, make: Make = generate, *, tiers: Sequence[int] = TIERS) -> Tried:
    """Run the plan of a seed in the tiers, up to the first that fails. Blocks until all is over."""
    plan = make(seed)
    marks: Counter[str] = Counter()
    num_events = 0
    for trial in trials_of(seed, tiers):
        run = trial.run(plan)
        marks.update(run.marks)
        num_events += run.num_events
        if run.violation is not None:
            return Tried(seed, marks, num_events, _simplest(trial, plan), run.violation.check, run.violation.text)
    return Tried(seed, marks, num_events)


def _simplest(trial: Trial, plan: Plan) -> Trial:
    """The same trial without what is not needed to see the failure."""
    plain = Trial(trial.tier)
    return plain if plain.fails(plan) is not None else trial


def explain(
    plan: Plan,
    trial: Trial,
    *,
    replay_line: str,
    reports: PathLike[str] | str | None = REPORTS,
    shrink_s: float = SHRINK_S,
    note: Note = lambda text: None,
    width: int | None = None,
    encoding: str | None = None,
) -> Failure:
    """Shrink a plan that fails in this trial, write its reports into a folder, and tell its story.

    Without a folder nothing is written. Takes ``shrink_s`` of real time and a little more. Raises `UsageError` if the
    plan passes or the reports cannot be written.
    """
    run = trial.run(plan)
    if run.violation is None:
        raise UsageError(f"the plan of seed {plan.seed} passes in tier {trial.tier}, so there is nothing to explain")
    shrunk = shrink_trial(plan, trial, budget_s=shrink_s, note=note)
    small = trial.run(msgspec.structs.replace(shrunk.plan, found=__version__), keep_all=True)
    files = _write(run, small, Path(reports)) if reports is not None else []
    text = show_failure(run, shrunk=small, passing=passing_neighbour(small, trial), replay_line=replay_line,
                        files=files, width=width, encoding=encoding)  # fmt: skip
    if files:
        command = f"triort sim replay {shlex.quote(str(files[0]))} --tier {trial.tier}"
        text += f"\nReplay the shrunk plan\n  {command}\n"
    return Failure(plan, trial, run.violation.check, text, small.plan, shrunk.runs, tuple(files))


def _write(run: Run, small: Run, folder: Path) -> list[Path]:
    files = write_reports(small, folder)
    whole = folder / f"seed-{run.plan.seed}-tier-{run.tier}.unshrunk.plan.json"
    try:
        whole.write_text(dump_plan(run.plan), encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"{whole} cannot be written: {exc.strerror}") from exc
    return [*files, whole]


def check_seed(
    seed: int,
    make: Make = generate,
    *,
    tiers: Sequence[int] = TIERS,
    replay_line: str = "",
    reports: PathLike[str] | str | None = None,
    shrink_s: float = SHRINK_S,
    marks: Counter[str] | None = None,
) -> Failure | None:
    """Run the plan that ``make`` makes of a seed, and explain its failure; None if it passes.

    The marks that were hit are added to ``marks``.
    """
    tried = try_seed(seed, make, tiers=tiers)
    if marks is not None:
        marks.update(tried.marks)
    if tried.trial is None:
        return None
    line = replay_line or f"check_seed({seed})"
    return explain(make(seed), tried.trial, replay_line=line, reports=reports, shrink_s=shrink_s)
