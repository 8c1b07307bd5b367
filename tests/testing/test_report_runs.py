"""The reports of real runs of generated plans, passed and failed."""

import pytest
from rich.cells import cell_len

from tests.testing.test_report_page import check as check_page
from tests.testing.test_report_perfetto import check as check_trace
from tests.testing.test_report_perfetto import trace_of
from triort.testing._events import Event, Kind
from triort.testing._plan.generate import generate
from triort.testing._report.differences import plan_differences, show_diff
from triort.testing._report.page import page_data
from triort.testing._report.story import show_failure
from triort.testing._run import Checker, Run
from triort.testing._tier1.run import run_tier1


class ThirdOutcome(Checker):
    """Fails at the third outcome, so that there is something to report."""

    name = "two_outcomes"
    kinds = frozenset({Kind.SETTLE})

    def __init__(self) -> None:
        self.num_outcomes = 0

    def see(self, event: Event) -> None:
        self.num_outcomes += 1
        if self.num_outcomes > 2:
            self.fail(f"{event.what} is the third outcome")


@pytest.fixture(scope="module", params=range(1, 7))
def run(request: pytest.FixtureRequest) -> Run:
    return run_tier1(generate(request.param), checkers=[], keep_all=True)


def test_the_trace_and_the_page_of_a_run_are_well_formed(run: Run) -> None:
    assert len(run.events) > 50
    check_trace(trace_of(run))
    check_page(page_data(run))


def test_the_story_of_a_run_that_fails_where_another_did_not(run: Run) -> None:
    failed = run_tier1(run.plan, checkers=[ThirdOutcome()], keep_all=True)
    text = show_failure(failed, passing=run, replay_line="replay", width=120, encoding="ascii")
    assert text.splitlines()[0] == f"Seed {run.plan.seed} failed the check two_outcomes"
    assert "is the third outcome" in text
    assert f"The first {failed.num_events:,} events are the same." in text
    assert "failing: ends here" in text
    assert max(map(cell_len, text.splitlines())) <= 120


def test_a_run_kept_to_its_last_events_parts_where_the_whole_one_does(run: Run) -> None:
    short = run_tier1(run.plan, checkers=[ThirdOutcome()])
    lines = show_diff(run, short, ("whole", "short")).splitlines()
    assert lines[:2] == ["plans", "  no difference"]
    assert f"  The first {short.num_events:,} events are the same." in lines


def test_two_seeds_differ_in_their_plans(run: Run) -> None:
    other = generate(run.plan.seed + 100)
    assert f"seed: {run.plan.seed} → {other.seed}" in plan_differences(run.plan, other)
