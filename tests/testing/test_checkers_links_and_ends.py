"""Frames come once and in order; at rest all has ended."""

from tests.testing.checker_hand import at, verdict
from tests.testing.plan_makers import batch, fault, job, plan, task
from triort.testing._checkers.all_ends import AllEnds
from triort.testing._checkers.once_per_link import OncePerLink
from triort.testing._events import FRAMES_SPAN, Event

PLAN = plan(job(task(batch(task()))), job(task(), name="j1", client="c1"))


def send(number: int, what: str = "Submit") -> Event:
    return at(f"send s {what}", "m0", number)


def deliver(number: int) -> Event:
    return at("deliver m0 Submit", "s", number)


def links(*events: Event) -> str:
    return verdict(OncePerLink(), PLAN, [at("open m0", "s"), *events])


def test_frames_in_order_are_well() -> None:
    assert links(send(1), send(2), deliver(1), send(3), deliver(2), deliver(3)) == ""


def test_several_messages_in_a_frame_are_one_frame() -> None:
    assert links(send(1, "Blobs"), send(1, "Submit"), deliver(1), send(2), deliver(2)) == ""


def test_a_frame_that_comes_twice_is_found() -> None:
    assert links(send(1), send(2), deliver(1), deliver(1)) == "m0 got frame 1 of s again, or it was never sent"
    assert links(send(1), deliver(1), deliver(1)) != ""


def test_a_frame_that_was_never_sent_is_found() -> None:
    assert links(deliver(1)) != ""
    assert links(send(1), deliver(2)) != ""
    assert links(at("send m0 Update", "s", 1), deliver(1)) != ""


def test_a_frame_that_overtakes_or_replaces_another_is_found() -> None:
    assert links(send(1), send(2), deliver(2)) == "m0 got frame 2 of s before frame 1"


def test_the_last_frames_of_a_link_may_be_lost_with_it() -> None:
    lost = [send(1), send(2), deliver(1), at("close m0", "s"), at("close s", "m0")]
    assert links(*lost) == ""
    assert links(*lost, at("open m0", "s"), send(FRAMES_SPAN + 1), deliver(FRAMES_SPAN + 1)) == ""
    assert links(*lost, at("open m0", "s"), deliver(1)) != ""


def test_each_direction_of_each_link_counts_for_itself() -> None:
    back = [at("send m0 Update", "s", 1), at("deliver s Update", "m0", 1)]
    other = [at("send s Submit", "m1", 1), at("deliver m1 Submit", "s", 1)]
    assert links(send(1), *back, *other, deliver(1)) == ""


def test_links_that_may_be_two_under_one_name_are_left_out() -> None:
    twofold = plan(job(task()), faults=[fault("duplicate_client", "c0"), fault("stale_incarnation", "m0")])
    assert verdict(OncePerLink(), twofold, [deliver(1), at("deliver s SubmitJob", "c0", 1)]) == ""
    assert verdict(OncePerLink(), twofold, [at("deliver s Update", "m1", 1)]) != ""


# -- all ends --------------------------------------------------------------------------------------------------------

DONE = [
    at("submit c0 j0.0", "j0"),
    at("start m0.w1 j0.0", number=1),
    at("submit m0.w1 j0.0.0.0", "j0.0", 11),
    at("start m0.w2 j0.0.0.0", number=11),
    at("end m0.w2 j0.0.0.0", number=11, detail="value"),
    at("settle m0.w1 j0.0.0.0", detail="value 1"),
    at("end m0.w1 j0.0", number=1, detail="value"),
    at("settle c0 j0.0", detail="value 2"),
    at("job c0 j0", detail="value"),
    at("job c1 j1", detail="value"),
]


def rest(*events: Event) -> str:
    return verdict(AllEnds(), PLAN, events, rest=True)


def test_what_has_ended_has_ended() -> None:
    assert rest(*DONE) == ""


def test_before_the_rest_nothing_need_have_ended() -> None:
    for number in range(len(DONE)):
        assert verdict(AllEnds(), PLAN, DONE[:number]) == ""


def test_each_end_that_is_missing_is_found() -> None:
    assert rest(*DONE[:-2]) == "all is at rest, and j0, j1 never ended at their clients"
    assert rest(*DONE[:-1]) == "all is at rest, and j1 never ended at their clients"
    assert rest(*DONE[:4], *DONE[5:]) == "all is at rest, and still run: j0.0.0.0 on m0.w2"
    assert rest(*DONE[:5], *DONE[6:]) == "all is at rest, and have no outcome at their parents: j0.0.0.0 on m0.w1"
    assert rest(*DONE[:7], *DONE[8:]) == "all is at rest, and have no outcome at their parents: j0.0 on c0"


def test_a_worker_that_was_killed_waits_for_nothing_and_runs_nothing() -> None:
    assert rest(*DONE[:3], at("died m0.w1"), *DONE[7:]) == ""
    assert rest(*DONE[:4], at("died m0.w1"), *DONE[7:]) == "all is at rest, and still run: j0.0.0.0 on m0.w2"


def test_a_client_that_is_gone_or_cut_off_is_told_nothing() -> None:
    lost = at("job c0 j0", detail="lost")
    assert rest(DONE[0], at("died c0"), DONE[-1]) == ""
    assert rest(at("died c0"), DONE[0], DONE[-1]) == ""
    assert rest(DONE[0], at("died c1"), DONE[-1]) != ""
    for end in (at("break c0", "s"), at("close s", "c0")):
        assert rest(DONE[0], end, lost, DONE[-1]) == ""
        assert rest(DONE[0], lost, end, DONE[-1]) == ""
        assert rest(DONE[0], end, DONE[-1]) != ""
        assert rest(DONE[0], end, DONE[-2], DONE[-1]) != ""
    assert rest(DONE[0], lost, DONE[-1]) != ""


def test_a_job_that_ends_twice_is_found() -> None:
    assert verdict(AllEnds(), PLAN, [*DONE, DONE[-1]]) == "job j1 has ended at c1 a second time (value)"


def test_jobs_that_the_plan_does_not_know_are_nobodys_business() -> None:
    assert rest(*DONE, at("job c0001 x"), at("job c0001 x")) == ""


def test_long_lists_are_cut() -> None:
    many = plan(*[job(task(), name=f"j{number}") for number in range(8)])
    assert verdict(AllEnds(), many, [], rest=True) == (
        "all is at rest, and j0, j1, j2, j3, j4 and 3 more never ended at their clients"
    )
