"""How a scenario is run: all its seeds first, then the story of one failing seed for each check that has failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from sim.scenarios import Scenario, explain_one, try_one
from sim.workers import StuckError, Workers
from triort.testing._seeds import Tried

STORIES_MAX = 2
LISTED_MAX = 20
SHRINK_S = 30.0


@attrs.frozen
class Simulation:
    """What the options of this run of pytest say about all scenarios."""

    workers: Workers
    reports: Path
    num_seeds: int | None = None
    """Seeds of each scenario; None: as many as it says."""
    seed: int | None = None
    """Only this seed."""
    width: int | None = None
    encoding: str = "utf-8"
    watch: Callable[[str, int, Iterator[Tried]], Iterator[Tried]] = lambda name, num_seeds, all_tried: all_tried
    """Passes on what comes, and shows how far it is if somebody looks."""

    def check(self, scenario: Scenario) -> None:
        """Run the scenario over its seeds; fail, or expect its failure, by pytest's means."""
        seeds = self.seeds_of(scenario)
        failing, marks = self._try(scenario, seeds)
        if failing:
            self._fail(scenario, failing, len(seeds))
        if self.seed is not None:
            return
        if scenario.expected:
            text = f"expected to fail ({scenario.expected}), and passes on all {len(seeds)} seeds"
            pytest.fail(f"{text}: remove expected= from {scenario.name}", pytrace=False)
        self._check_marks(scenario, marks, len(seeds))

    def seeds_of(self, scenario: Scenario) -> list[int]:
        """The seeds to run."""
        if self.seed is not None:
            return [self.seed]
        return list(range(scenario.seeds if self.num_seeds is None else self.num_seeds))

    def _try(self, scenario: Scenario, seeds: Sequence[int]) -> tuple[list[Tried], Counter[str]]:
        """The seeds that fail, and all marks; of a scenario that is expected to fail, one such seed is enough."""
        calls = [(scenario.module, scenario.name, seed) for seed in seeds]
        failing: list[Tried] = []
        marks: Counter[str] = Counter()
        try:
            with closing(self.workers.each(try_one, calls)) as all_tried:
                for tried in self.watch(scenario.name, len(seeds), all_tried):
                    marks.update(tried.marks)
                    if tried.trial is not None:
                        failing.append(tried)
                        if scenario.expected and is_expected(scenario, tried):
                            break
        except StuckError as exc:
            line = f"pytest sim -k {scenario.name} --sim-seed={seeds[exc.number]}"
            pytest.fail(f"seed {seeds[exc.number]}, or one soon after it, {exc.what}\n  {line}", pytrace=False)
        return sorted(failing, key=lambda tried: tried.seed), marks

    def _fail(self, scenario: Scenario, failing: list[Tried], num_seeds: int) -> None:
        surprising = [tried for tried in failing if not (scenario.expected and is_expected(scenario, tried))]
        if not surprising and self.seed is None:
            pytest.xfail(f"{scenario.expected} (seed {failing[0].seed}: {failing[0].check})")
        told = surprising or failing
        firsts = list({tried.check: tried for tried in reversed(told)}.values())[::-1][:STORIES_MAX]
        stories = self._stories(scenario, firsts)
        text = "\n\n".join([summary(told, num_seeds), *stories] if num_seeds > 1 else stories)
        if not surprising:
            print(text)
            pytest.xfail(scenario.expected)
        pytest.fail(text, pytrace=False)

    def _stories(self, scenario: Scenario, failing: Sequence[Tried]) -> list[str]:
        reports = str(self.reports / scenario.name.removeprefix("test_"))
        calls = [(scenario.module, scenario.name, tried, reports, SHRINK_S, self.width, self.encoding)
                 for tried in failing]  # fmt: skip
        return [failure.text for failure in self.workers.each(explain_one, calls)]

    def _check_marks(self, scenario: Scenario, marks: Counter[str], num_seeds: int) -> None:
        missing = [mark for mark in scenario.marks if not marks[mark]]
        if missing and num_seeds >= scenario.seeds:
            lines = "".join(f"\n  {mark}" for mark in missing)
            pytest.fail(f"{num_seeds} seeds have never come to these marks:{lines}", pytrace=False)


def is_expected(scenario: Scenario, tried: Tried) -> bool:
    """Whether it fails as it is expected to."""
    return not scenario.expected_checks or tried.check in scenario.expected_checks


def summary(failing: Sequence[Tried], num_seeds: int) -> str:
    """Which seeds fail, by check."""
    lines = [f"{len(failing)} of {num_seeds} seeds fail"]
    by_check: dict[str, list[int]] = {}
    for tried in failing:
        assert tried.trial is not None
        by_check.setdefault(f"{tried.check} in tier {tried.trial.tier}", []).append(tried.seed)
    for check, seeds in by_check.items():
        some = ", ".join(map(str, seeds[:LISTED_MAX])) + (", …" if len(seeds) > LISTED_MAX else "")
        lines.append(f"  {check}: {some}")
    return "\n".join(lines)
