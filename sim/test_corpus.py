"""Plans that have once found something: each is kept as it was, and passes today in the tiers where it failed.

To add one, put what `triort sim shrink` has written into `sim/corpus`, under a name that says what went wrong.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from triort.testing._plan.codec import dump_plan, load_plan
from triort.testing._seeds.trials import TIERS, Trial

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(CORPUS.glob("*.json"))


def test_there_is_a_corpus() -> None:
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_plan_of_the_corpus_is_written_as_plans_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    plan = load_plan(text, path.name)
    assert dump_plan(plan) == text
    assert plan.found, "it says on which version it was found"


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_plan_of_the_corpus_passes(path: Path, tier: int) -> None:
    plan = load_plan(path.read_text(encoding="utf-8"), path.name)
    violation = Trial(tier, is_compared=tier == TIERS[-1]).fails(plan)
    command = f"triort sim replay sim/corpus/{path.name} --tier {tier}"
    assert violation is None, f"{violation.check} at {violation.time_s} s: {violation.text}\n  {command}"
