"""The checkers that compare events with the plan, or with a book at the time: each has a story it must not like."""

from __future__ import annotations

import pytest

from tests.testing.tier1_plans import at, leaves, parent, plan
from triort._core.attempts import Attempt
from triort._model.ids import Address, Digest, JobId
from triort._model.messages import Options, TaskSpec
from triort.testing._checkers.crash_limits import CrashLimits
from triort.testing._checkers.deadlines_kept import DeadlinesKept
from triort.testing._checkers.message_budget import MessageBudget, num_messages
from triort.testing._checkers.no_late_starts import NoLateStarts
from triort.testing._checkers.starts_in_order import StartsInOrder
from triort.testing._checkers.starts_once import StartsOnce
from triort.testing._events import Event, Kind, Violation
from triort.testing._plan.plan import Batch, FaultKind, Plan
from triort.testing._run import Checker, Trace
from triort.testing._tier1.cluster import Cluster

SUBMIT, START, END, SETTLE = Kind.SUBMIT, Kind.START, Kind.END, Kind.SETTLE


def told(checker: Checker, made: Plan, *story: Event) -> str:
    """What the checker says of the last event of a story; it has nothing to say before."""
    cluster = Cluster(made, Trace())
    checker.begin(cluster)
    for event in story[:-1]:
        checker.see(event)
    with pytest.raises(Violation) as caught:
        checker.see(story[-1])
    assert caught.value.check == checker.name
    return caught.value.text


def event(kind: Kind, what: str, node: str = "m0.w1", *, time_s: float = 0.0, detail: str = "", number: int = 0,
          peer: str = "") -> Event:  # fmt: skip
    return Event(time_s, kind, node, what, peer, number, detail)


LOAD = plan([parent("j0.0", Batch(leaves("j0.0.1", 3), retries=1)), *leaves("j0.9", 2)])
CHILD = "j0.0.1.0"


def test_a_task_that_starts_twice_for_no_reason_is_found() -> None:
    start = event(START, CHILD)
    text = told(StartsOnce(), LOAD, event(SUBMIT, CHILD), start, event(END, CHILD, detail="error"), start, start)
    assert text == "j0.0.1.0 starts again on m0.w1, though it has neither failed nor been lost"


def test_a_task_may_start_again_once_a_node_has_ended() -> None:
    checker = StartsOnce()
    checker.begin(Cluster(LOAD, Trace()))
    for each in (event(SUBMIT, CHILD), event(START, CHILD), event(Kind.DIED, "", "m1.w1"), event(START, CHILD)):
        checker.see(each)


def test_a_task_that_is_to_run_once_only_is_found_when_it_does_not() -> None:
    made = plan(leaves("j0", 1), at_most_once=True)
    start = event(START, "j0.0")
    text = told(StartsOnce(), made, event(SUBMIT, "j0.0", "c0"), start, event(Kind.DIED, "", "m1.w1"), start)
    assert "at most once" in text


def test_what_starts_before_something_more_urgent_is_found() -> None:
    made = plan(leaves("j0", 1))
    cluster = Cluster(made, Trace())
    cluster.start()
    core = cluster.workers["m0.w1"]
    for number, priority in ((1, 0), (2, 3)):
        spec = TaskSpec(JobId(1), Digest(b"f"), "f", 0, Options(priority=priority))
        attempt = core.boss.received[Address(number)] = Attempt(Address(number), spec, b"", core.boss)
        core.backlog.add(attempt)
    running = core.next_task()
    assert running is not None
    assert running.attempt.address == 2
    running.attempt.spec = TaskSpec(JobId(1), Digest(b"f"), "f", 0, Options(priority=-1))
    checker = StartsInOrder()
    checker.begin(cluster)
    with pytest.raises(Violation, match="a task of"):
        checker.see(event(START, "j0.0", number=2))


def test_a_task_given_up_too_early_or_tried_too_often_is_found() -> None:
    made = plan(leaves("j0", 1), crash_limit=2)
    submit, start = event(SUBMIT, "j0.0", "c0"), event(START, "j0.0", number=7)
    death = event(Kind.DIED, "", number=7)
    end = event(SETTLE, "j0.0", "c0", detail="crashed")
    assert "after 1 crashes, and may have 1" in told(CrashLimits(), made, submit, start, death, end)
    assert "after 2 crashes" in told(CrashLimits(), made, submit, start, death, start, death, start)


def test_deadlines_that_are_early_or_late_are_found() -> None:
    made = plan(leaves("j0", 1), timeout_s=1.0)
    submit = event(SUBMIT, "j0.0", "c0", time_s=1.0)
    early = event(SETTLE, "j0.0", "c0", time_s=1.9, detail="timeout")
    late = event(SETTLE, "j0.0", "c0", time_s=9.0, detail="value 1")
    assert "too early" in told(DeadlinesKept(), made, submit, early)
    assert "later" in told(DeadlinesKept(), made, submit, late)
    checker, cluster = DeadlinesKept(), Cluster(made, Trace())
    checker.begin(cluster)
    checker.see(submit)
    checker.look()
    cluster.heap.now = 9.0
    with pytest.raises(Violation, match="still open"):
        checker.look()


def test_more_messages_than_the_work_is_worth_are_found() -> None:
    send = event(Kind.SEND, "Want+Update*3+Talk*50", "m0", peer="s")
    assert num_messages(send.what) == 4
    text = told(MessageBudget(), LOAD, event(SUBMIT, CHILD), event(Kind.SEND, "Want*999", "m0", peer="s"))
    assert text.startswith("999 messages")


UNWANTED = {
    "its parent is over": event(END, "j0.0", detail="value"),
    "a sibling has failed": event(SETTLE, "j0.0.1.1", detail="error"),
    "its job is cancelled": event(Kind.FAULT, FaultKind.CANCEL_JOB, "j0"),
    "its client is gone": event(Kind.CLOSE, "", "s", peer="c0"),
}


@pytest.mark.parametrize("why", UNWANTED.values(), ids=UNWANTED)
def test_what_starts_though_nobody_wants_it_any_more_is_found(why: Event) -> None:
    submits = [event(SUBMIT, "j0.0", "c0", peer="j0")]
    submits += [event(SUBMIT, f"j0.0.1.{i}", peer="j0.0") for i in range(3)]
    start = event(START, CHILD, "m1.w1", time_s=0.5)
    assert "0.500 s after" in told(NoLateStarts(), LOAD, *submits, why, start)


def test_what_a_client_submits_over_its_next_link_may_start_though_the_last_ones_end_is_heard_after_it() -> None:
    checker = NoLateStarts()
    checker.begin(Cluster(LOAD, Trace()))
    checker.see(event(Kind.CLOSE, "", "c0", peer="s"))
    checker.see(event(SUBMIT, "j0.0", "c0", peer="j0"))
    checker.see(event(Kind.CLOSE, "", "s", peer="c0"))
    checker.see(event(START, CHILD, "m1.w1", time_s=0.5))


def test_a_cancel_on_its_way_excuses_a_start_and_so_does_a_link_that_has_ended() -> None:
    made = plan([parent("j0.0", Batch(leaves("j0.0.1", 3)))], faults=[at(1.0, FaultKind.CUT, "m1")])
    checker = NoLateStarts()
    checker.begin(Cluster(made, Trace()))
    checker.see(event(SUBMIT, CHILD, peer="j0.0"))
    checker.see(UNWANTED["its parent is over"])
    checker.see(event(START, CHILD, "m1.w1", time_s=0.01))
    checker.see(event(Kind.CLOSE, "", "s", peer="m1"))
    checker.see(event(START, CHILD, "m1.w1", time_s=0.5))
