"""One outcome for each task, and one that the oracle allows."""

import pytest

from tests.testing.checker_hand import at, verdict
from tests.testing.plan_makers import batch, fault, job, plan, task
from triort.testing._checkers import EVENT_CHECKERS, all_checkers, event_checkers
from triort.testing._checkers.allowed_outcome import AllowedOutcome, parse_outcome
from triort.testing._checkers.one_outcome import OneOutcome
from triort.testing._events import Event, Outcome
from triort.testing._plan.plan import Compute

PAIR = plan(job(task(batch(task(), task(fails=1), retries=1))))
"""j0.0 with the children j0.0.0.0 and j0.0.0.1, which all end with a value."""
SUBMITTED = [
    at("submit c0 j0.0", "j0"),
    at("start m0.w1 j0.0", number=1),
    at("submit m0.w1 j0.0.0.0", "j0.0", 11),
    at("submit m0.w1 j0.0.0.1", "j0.0", 12),
]


def settle(node: str, what: str, detail: str) -> Event:
    return at(f"settle {node} {what}", detail=detail)


def test_every_checker_has_a_name_of_its_own_and_is_made_anew_for_each_run() -> None:
    names = [checker.name for checker in all_checkers(PAIR)]
    assert len(set(names)) == len(names)
    assert all(names)
    first, second = event_checkers(), event_checkers()
    assert [type(checker) for checker in first] == list(EVENT_CHECKERS)
    assert not {id(checker) for checker in first} & {id(checker) for checker in second}


# -- one outcome -----------------------------------------------------------------------------------------------------


def test_one_outcome_for_each_submission_is_well() -> None:
    events = [
        *SUBMITTED,
        settle("m0.w1", "j0.0.0.1", "value 1"),
        settle("m0.w1", "j0.0.0.0", "value 1"),
        settle("c0", "j0.0", "value 3"),
    ]
    assert verdict(OneOutcome(), PAIR, events) == ""


def test_a_second_outcome_is_found() -> None:
    events = [*SUBMITTED, settle("m0.w1", "j0.0.0.0", "value 1"), settle("m0.w1", "j0.0.0.0", "cancelled")]
    assert verdict(OneOutcome(), PAIR, events) == ("j0.0.0.0 has an outcome on m0.w1 (cancelled) that nobody waits for")


def test_an_outcome_at_somebody_who_has_not_asked_is_found() -> None:
    assert "nobody waits for" in verdict(OneOutcome(), PAIR, [*SUBMITTED, settle("m0.w2", "j0.0.0.0", "value 1")])
    assert "nobody waits for" in verdict(OneOutcome(), PAIR, [settle("c0", "j0.0", "value 3")])


def test_a_parent_that_runs_again_may_submit_again_after_the_outcomes_or_elsewhere() -> None:
    again = at("submit m0.w1 j0.0.0.0", "j0.0", 21)
    assert verdict(OneOutcome(), PAIR, [*SUBMITTED, settle("m0.w1", "j0.0.0.0", "error"), again]) == ""
    assert verdict(OneOutcome(), PAIR, [*SUBMITTED, at("submit m1.w1 j0.0.0.0", "j0.0", 21)]) == ""
    assert verdict(OneOutcome(), PAIR, [*SUBMITTED, at("died m0.w1"), again]) == ""
    assert verdict(OneOutcome(), PAIR, [*SUBMITTED, again]) == (
        "j0.0 submits j0.0.0.0 on m0.w1 again before that has an outcome"
    )


def test_the_dead_are_told_nothing() -> None:
    events = [*SUBMITTED, at("died m0.w1"), settle("m0.w1", "j0.0.0.0", "value 1")]
    assert "nobody waits for" in verdict(OneOutcome(), PAIR, events)


# -- allowed outcomes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [Outcome("value", 12), Outcome("value", 0), Outcome("error"), Outcome("crashed")])
def test_outcomes_are_read_as_they_are_shown(outcome: Outcome) -> None:
    assert parse_outcome(str(outcome)) == outcome


def test_what_the_oracle_allows_is_well() -> None:
    events = [*SUBMITTED, settle("m0.w1", "j0.0.0.1", "value 1"), settle("c0", "j0.0", "value 3")]
    assert verdict(AllowedOutcome(), PAIR, events) == ""


@pytest.mark.parametrize("wrong", ["value 2", "error", "cancelled", "timeout", "crashed"])
def test_what_it_does_not_allow_is_found(wrong: str) -> None:
    assert verdict(AllowedOutcome(), PAIR, [*SUBMITTED, settle("m0.w1", "j0.0.0.0", wrong)]) == (
        f"j0.0.0.0 ended as {wrong} on m0.w1; it may end as: value 1"
    )


def test_an_outcome_of_what_is_never_submitted_is_found() -> None:
    dead_end = plan(job(task(batch(task(fails=-1)), batch(task()))))
    assert verdict(AllowedOutcome(), dead_end, [settle("m0.w1", "j0.0.1.0", "value 1")]) == (
        "j0.0.1.0 ended as value 1 on m0.w1; it may end as: never submitted"
    )


def test_tasks_that_the_plan_does_not_know_are_left_to_others() -> None:
    assert verdict(AllowedOutcome(), PAIR, [settle("c0001", "x.0", "error")]) == ""


def test_items_may_be_cancelled_once_their_job_is_stopped() -> None:
    stopped = plan(job(task(fails=1), retries=1), job(task(), name="j1"), faults=[fault("cancel_job", "j0", 1.0)])
    stop, missed = at("fault j0 cancel_job"), at("fault j0 cancel_job", detail="missed")
    for detail in ("cancelled", "error"):
        end = settle("c0", "j0.0", detail)
        assert verdict(AllowedOutcome(), stopped, [stop, end]) == ""
        assert "it may end as: value 1" in verdict(AllowedOutcome(), stopped, [end])
        assert "it may end as: value 1" in verdict(AllowedOutcome(), stopped, [missed, end])
        assert "it may end as: value 1" in verdict(AllowedOutcome(), stopped, [stop, settle("c0", "j1.0", detail)])
    storm = at("fault s cancel_storm")
    assert verdict(AllowedOutcome(), stopped, [storm, settle("c0", "j1.0", "cancelled")]) == ""
    assert "j1.0 ended as error" in verdict(AllowedOutcome(), stopped, [storm, settle("c0", "j1.0", "error")])


def test_children_may_be_cancelled_once_their_parent_is_told_to_stop_there() -> None:
    end, told = settle("m0.w1", "j0.0.0.0", "cancelled"), at("cancelled m0.w1", number=1)
    assert verdict(AllowedOutcome(), PAIR, [*SUBMITTED, told, end]) == ""
    assert verdict(AllowedOutcome(), PAIR, [*SUBMITTED, at("cancelled m0.w2", number=1), end]) != ""
    assert verdict(AllowedOutcome(), PAIR, [*SUBMITTED, at("cancelled m0.w1", number=2), end]) != ""
    again = at("start m0.w1 j0.0", number=7)
    assert verdict(AllowedOutcome(), PAIR, [*SUBMITTED, told, again, end]) != ""


def test_a_cancel_reaches_all_below_it_on_the_same_worker() -> None:
    deep = plan(job(task(batch(task(batch(task()))))))
    events = [at("start m0.w1 j0.0", number=1), at("start m0.w1 j0.0.0.0", number=2), at("cancelled m0.w1", number=1)]
    assert verdict(AllowedOutcome(), deep, [*events, settle("m0.w1", "j0.0.0.0.0.0", "cancelled")]) == ""
    elsewhere = [at("start m0.w2 j0.0.0.0", number=2), events[0], events[2]]
    assert verdict(AllowedOutcome(), deep, [*elsewhere, settle("m0.w2", "j0.0.0.0.0.0", "cancelled")]) != ""


def test_a_parent_that_is_cut_off_may_be_told_of_cancels() -> None:
    end = settle("m0.w1", "j0.0.0.0", "cancelled")
    for cut in (at("close s", "m0"), at("close m0", "s"), at("close m0.w1", "m0")):
        assert verdict(AllowedOutcome(), PAIR, [*SUBMITTED, cut, end]) == ""
        assert verdict(AllowedOutcome(), PAIR, [*SUBMITTED, cut, settle("m0.w1", "j0.0.0.0", "value 2")]) != ""
    for other in (at("close s", "m1"), at("close c0", "s"), at("close m0", "m0.w2")):
        assert verdict(AllowedOutcome(), PAIR, [*SUBMITTED, other, end]) != ""
    assert verdict(AllowedOutcome(), PAIR, [*SUBMITTED, at("close s", "m0"), at("open m0", "s"), end]) != ""


def test_what_ends_after_its_time_on_a_worker_that_is_cut_off_is_not_judged_by_the_clock() -> None:
    load = plan(job(task(batch(task(Compute(1.0)), timeout_s=0.1))))
    started = [at("submit c0 j0.0", "j0"), at("start m0.w1 j0.0", number=1), at("submit m0.w1 j0.0.0.0", "j0.0", 11)]
    late = settle("m0.w1", "j0.0.0.0", "value 1")
    assert "may end as: timeout" in verdict(AllowedOutcome(), load, [*started, late])
    assert verdict(AllowedOutcome(), load, [*started, at("close m0", "m0.w1"), late]) == ""
    back = at("open m0", "m0.w1")
    assert "may end as: timeout" in verdict(AllowedOutcome(), load, [*started, at("close m0", "m0.w1"), back, late])
