"""No orphans, and cancels that are final."""

from tests.testing.checker_hand import at, verdict
from tests.testing.plan_makers import batch, job, plan, task
from triort.testing._checkers.cancel_is_final import CancelIsFinal
from triort.testing._checkers.no_orphans import NoOrphans

FAMILY = plan(job(task(batch(task(batch(task())), task())), task()))
"""j0.0 has j0.0.0.0 (which has j0.0.0.0.0.0) and j0.0.0.1; j0.1 stands beside it."""
PARENT = at("start m0.w1 j0.0", number=1)
CHILD = at("start m0.w2 j0.0.0.0", number=2)
GRANDCHILD = at("start m1.w1 j0.0.0.0.0.0", number=3)
ENDS = {1: at("end m0.w1 j0.0", number=1), 2: at("end m0.w2 j0.0.0.0", number=2)}
ENDS[3] = at("end m1.w1 j0.0.0.0.0.0", number=3, detail="value")
OUTCOME = at("settle m0.w1 j0.0.0.0", detail="cancelled")


def orphans(*events: object) -> str:
    return verdict(NoOrphans(), FAMILY, list(events))  # type: ignore[arg-type]


def test_an_outcome_after_all_below_has_ended_is_well() -> None:
    assert orphans(PARENT, CHILD, GRANDCHILD, ENDS[3], ENDS[2], OUTCOME) == ""
    assert orphans(PARENT, CHILD, GRANDCHILD, ENDS[2], ENDS[3], OUTCOME) == ""


def test_an_outcome_before_the_function_has_ended_is_found() -> None:
    assert orphans(PARENT, CHILD, OUTCOME) == (
        "j0.0.0.0 has its outcome (cancelled) on m0.w1, and of it still run j0.0.0.0 on m0.w2"
    )


def test_an_outcome_before_a_descendant_has_ended_is_found() -> None:
    assert "still run j0.0.0.0.0.0 on m1.w1" in orphans(PARENT, CHILD, GRANDCHILD, ENDS[2], OUTCOME)
    assert "still run j0.0 on m0.w1, j0.0.0.0 on m0.w2, j0.0.0.0.0.0 on m1.w1" in orphans(
        PARENT, CHILD, GRANDCHILD, at("settle c0 j0.0", detail="value 4")
    )


def test_what_runs_beside_it_does_not_matter() -> None:
    beside = [at("start m1.w2 j0.0.0.1", number=8), at("start m1.w2 j0.1", number=9)]
    assert orphans(PARENT, CHILD, *beside, ENDS[2], OUTCOME) == ""


def test_a_start_while_a_former_attempt_or_its_children_run_is_found() -> None:
    again = at("start m1.w2 j0.0.0.0", number=20)
    assert orphans(PARENT, CHILD, again) == "j0.0.0.0 starts on m1.w2, and of it still run j0.0.0.0 on m0.w2"
    assert "j0.0.0.0.0.0 on m1.w1" in orphans(PARENT, CHILD, GRANDCHILD, ENDS[2], again)
    assert orphans(PARENT, CHILD, GRANDCHILD, ENDS[2], ENDS[3], again) == ""


def test_the_end_of_a_worker_is_the_end_of_all_that_ran_there() -> None:
    again = at("start m1.w2 j0.0.0.0", number=20)
    assert orphans(PARENT, CHILD, at("died m0.w2"), again) == ""
    killed = at("end m0.w2 j0.0.0.0", number=2, detail="killed")
    assert orphans(PARENT, CHILD, at("died m0.w2"), killed, again) == ""
    assert orphans(PARENT, CHILD, at("died m0.w1"), again) != ""


def test_what_is_beyond_a_link_that_has_ended_is_fenced_off() -> None:
    again = at("start m1.w2 j0.0.0.0", number=20)
    for cut in (at("close m0", "m0.w2"), at("close m0.w2", "m0"), at("close s", "m0"), at("close m0", "s")):
        assert orphans(PARENT, CHILD, cut, again) == ""
    for other in (at("close s", "m2"), at("close m0", "m0.w1"), at("close c0", "s")):
        assert orphans(PARENT, CHILD, other, again) != ""


def test_what_happens_beyond_it_is_not_looked_at() -> None:
    zombie = at("start m0.w2 j0.0.0.0", number=20)
    running = at("start m1.w1 j0.0.0.0", number=2)
    assert orphans(PARENT, running, at("close s", "m0"), zombie) == ""
    assert orphans(PARENT, running, zombie) != ""


def test_a_node_is_fenced_off_until_it_is_linked_anew() -> None:
    again = at("start m1.w2 j0.0.0.0", number=20)
    assert orphans(PARENT, at("close s", "m0"), at("born m0", "s"), CHILD, again) == ""
    assert orphans(at("open m0.w2", "m0"), PARENT, at("died m0"), CHILD, again) == ""
    assert orphans(PARENT, at("close s", "m0"), at("open m0", "s"), CHILD, again) != ""


def test_tasks_that_the_plan_does_not_know_are_checked_by_themselves() -> None:
    stranger = at("start m0.w1 x", number=5)
    assert orphans(stranger, at("settle c9 x", detail="value 1")) != ""
    assert orphans(stranger, at("end m0.w1 x", number=5), at("settle c9 x", detail="value 1")) == ""


# -- cancels ---------------------------------------------------------------------------------------------------------


def test_an_attempt_does_not_start_after_its_cancel() -> None:
    told = at("cancelled m0.w1", number=2)
    assert verdict(CancelIsFinal(), FAMILY, [told, at("start m0.w1 j0.0.0.0", number=2)]) == (
        "j0.0.0.0 starts on m0.w1 after its cancel was read there"
    )


def test_another_attempt_or_another_worker_may_start() -> None:
    told = at("cancelled m0.w1", number=2)
    assert verdict(CancelIsFinal(), FAMILY, [told, at("start m0.w1 j0.0.0.0", number=3)]) == ""
    assert verdict(CancelIsFinal(), FAMILY, [told, at("start m0.w2 j0.0.0.0", number=2)]) == ""
    assert verdict(CancelIsFinal(), FAMILY, [CHILD, at("cancelled m0.w2", number=2)]) == ""


def test_a_worker_of_the_same_name_that_is_born_later_knows_of_no_cancel() -> None:
    events = [at("cancelled m0.w1", number=2), at("died m0.w1"), at("start m0.w1 j0.0.0.0", number=2)]
    assert verdict(CancelIsFinal(), FAMILY, events) == ""
