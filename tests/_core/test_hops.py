"""The hop rule: every entry leaves by one terminal message, and losses wait for their descendants."""

from collections.abc import Sequence

import attrs
import pytest

from tests._core.makers import make_attempt
from triort._core.attempts import Attempt, Result
from triort._core.hops import Hops
from triort._core.links import Link, Loss
from triort._model.ids import Address
from triort._model.outcomes import OutcomeKind

CANCELLED = int(OutcomeKind.CANCELLED)


@attrs.define(eq=False)
class Ledger:
    """An owner that notes what it is told."""

    settled: list[tuple[int, int]] = attrs.Factory(list)
    lost: list[Loss] = attrs.Factory(list)

    def settle(self, attempt: Attempt, result: Result) -> None:
        self.settled.append((int(attempt.address), result.kind))

    def settle_values(self, attempts: list[Attempt], results: list[Result]) -> None:
        self.settled += [(int(result.address), result.kind) for result in results]

    def lose(self, attempt: Attempt, loss: Loss) -> None:
        self.lost.append(loss)


class Site:
    """One node's hops with a boss and three workers."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.hops = Hops(self.ledger)
        self.boss = Link("boss", "boss", below=False)
        self.a, self.b, self.c = (Link(name, name) for name in "abc")

    def pass_on(self, address: int, origin: Link | None, target: Link | None, parent: int = 0) -> Attempt:
        """A task that came over ``origin`` and went on to ``target``, or waits here."""
        attempt = make_attempt(address, origin=origin, parent=Address(parent))
        if origin is not None:
            origin.received[attempt.address] = attempt
        if target is None:
            self.hops.backlog.add(attempt)
        else:
            target.place(attempt)
        return attempt

    def answer(self, link: Link, address: int, kind: int = CANCELLED) -> None:
        attempt = link.close(Address(address))
        assert attempt is not None
        self.hops.pass_result(attempt, Result(attempt.address, kind, 0, b""))

    def reported(self, link: Link) -> tuple[list[int], list[int], list[int]]:
        """Addresses of what goes out over a link: results, losses, cancels."""
        results = [int(result.address) for result in link.out_results]
        return results, [int(loss.address) for loss in link.out_lost], [int(address) for address in link.out_cancels]


@pytest.fixture
def site() -> Site:
    return Site()


def nothing_left(*links: Link) -> bool:
    return not any(k.received or k.sent or k.losses or k.unanswered or (k.cancelling and not k.ended) for k in links)


def test_a_result_goes_back_over_the_link_that_the_task_came_from(site: Site) -> None:
    site.pass_on(1, site.boss, site.a)
    site.answer(site.a, 1, kind=0)
    assert site.reported(site.boss) == ([1], [], [])
    assert nothing_left(site.boss, site.a)


def test_a_task_may_pass_twice_once_up_and_once_down(site: Site) -> None:
    site.pass_on(1, site.a, site.boss)
    site.pass_on(1, site.boss, site.b)
    site.answer(site.b, 1, kind=0)
    assert site.reported(site.boss) == ([1], [], [])
    site.answer(site.boss, 1, kind=0)
    assert site.reported(site.a) == ([1], [], [])
    assert nothing_left(site.boss, site.a, site.b)


def test_a_cancel_of_a_queued_task_is_answered_at_once(site: Site) -> None:
    site.pass_on(1, site.boss, None)
    site.hops.cancel_received(site.boss, [Address(1)])
    assert [(result.address, result.kind) for result in site.boss.out_results] == [(1, CANCELLED)]
    assert (len(site.hops.backlog), site.boss.received) == (0, {})


def test_a_cancel_of_a_task_further_down_is_passed_on_once(site: Site) -> None:
    site.pass_on(1, site.boss, site.a)
    for _ in range(2):
        site.hops.cancel_received(site.boss, [Address(1)])
    assert site.reported(site.a) == ([], [], [1])
    site.answer(site.a, 1)
    assert site.reported(site.boss) == ([1], [], [])


def test_a_cancel_of_an_unknown_task_is_ignored(site: Site) -> None:
    site.hops.cancel_received(site.boss, [Address(1)])
    assert site.reported(site.boss) == ([], [], [])


def test_a_task_that_comes_back_unstarted_waits_again_unless_it_was_cancelled(site: Site) -> None:
    kept, unwanted = site.pass_on(1, site.boss, site.a), site.pass_on(2, site.boss, site.a)
    site.hops.cancel(unwanted)
    for attempt in (kept, unwanted):
        site.a.close(attempt.address)
        attempt.payload = None  # it has gone along
        site.hops.take_back(attempt, b"payload")
    assert list(site.hops.backlog) == [kept]
    assert (kept.payload, kept.target) == (b"payload", None)
    assert [(result.address, result.kind) for result in site.boss.out_results] == [(2, CANCELLED)]


def test_a_task_whose_payload_is_still_here_comes_back_with_no_other_one(site: Site) -> None:
    attempt = site.pass_on(1, site.boss, site.a)
    before = attempt.payload
    site.a.close(attempt.address)
    site.hops.take_back(attempt, b"something else")
    assert attempt.payload == before is not None


def test_tasks_go_back_to_the_boss_shallowest_first_and_no_others(site: Site) -> None:
    site.pass_on(1, site.a, None)
    site.pass_on(2, site.boss, None)
    site.pass_on(3, site.boss, None)
    assert site.hops.give_back(site.boss, 1) == 1
    assert [attempt.address for attempt in site.boss.out_returned] == [2]
    assert site.hops.give_back(site.boss, 5) == 1
    assert [attempt.address for attempt in site.hops.backlog] == [1]


def test_what_was_sent_over_an_ended_link_is_lost_and_the_blamed_one_says_why(site: Site) -> None:
    site.pass_on(1, site.boss, site.a)
    site.pass_on(2, None, site.a)
    site.hops.end_link(site.a, Loss(Address(2), True, b"crash"))
    assert site.boss.out_lost == [Loss(Address(1), False, b"")]
    assert site.ledger.lost == [Loss(Address(2), True, b"crash")]
    assert nothing_left(site.a, site.boss)
    assert not site.a.out_tasks


def test_the_ancestors_of_the_blamed_one_on_its_worker_are_to_run_apart_from_it(site: Site) -> None:
    site.pass_on(1, None, site.a)
    site.pass_on(2, None, site.a)
    site.pass_on(3, site.a, site.b, parent=1)
    site.pass_on(4, site.b, site.a, parent=3)
    site.hops.end_link(site.a, Loss(Address(4), True, b"crash"))
    assert site.ledger.lost == [Loss(Address(2), False, b"")]
    site.answer(site.b, 3)
    assert site.ledger.lost[1:] == [Loss(Address(1), False, b"", beside=True)]
    assert [loss.address for loss in site.b.out_lost] == [Address(4)]


def test_what_came_over_an_ended_link_is_cancelled_and_its_parent_lost_only_after_the_answer(site: Site) -> None:
    site.pass_on(1, site.boss, site.a)
    site.pass_on(2, site.boss, site.a)
    site.pass_on(10, site.a, site.b, parent=1)
    site.pass_on(11, site.a, site.boss, parent=1)
    site.pass_on(12, site.a, None, parent=1)
    site.hops.end_link(site.a)
    assert (site.reported(site.boss), site.reported(site.b)) == (([], [2], [11]), ([], [], [10]))
    assert len(site.hops.backlog) == 0
    site.answer(site.b, 10)
    assert site.reported(site.boss) == ([], [2], [11])
    site.answer(site.boss, 11)
    assert site.reported(site.boss) == ([], [2, 1], [11])
    assert nothing_left(site.a, site.b, site.boss)


def test_a_cancel_that_was_under_way_when_the_link_ended_is_not_sent_again(site: Site) -> None:
    site.pass_on(1, site.boss, site.a)
    child = site.pass_on(10, site.a, site.b, parent=1)
    site.hops.cancel(child)
    site.hops.end_link(site.a)
    assert site.reported(site.b) == ([], [], [10])
    assert site.reported(site.boss) == ([], [], [])
    site.answer(site.b, 10, kind=0)
    assert site.reported(site.boss) == ([], [1], [])


def test_a_loss_below_answers_like_any_other_terminal_message(site: Site) -> None:
    site.pass_on(1, site.boss, site.a)
    child = site.pass_on(10, site.a, site.b, parent=1)
    site.hops.end_link(site.a)
    site.b.close(child.address)
    site.hops.pass_loss(child, Loss(child.address, False, b""))
    assert site.reported(site.boss) == ([], [1], [])


def test_a_loss_waits_for_grandchildren_behind_a_second_ended_link(site: Site) -> None:
    site.pass_on(1, site.boss, site.a)
    site.pass_on(10, site.a, site.b, parent=1)
    site.pass_on(100, site.b, site.c, parent=10)
    site.hops.end_link(site.b)
    site.hops.end_link(site.a)
    assert (site.reported(site.boss), site.reported(site.c)) == (([], [], []), ([], [], [100]))
    site.answer(site.c, 100)
    assert site.reported(site.boss) == ([], [1], [])
    assert nothing_left(site.a, site.b, site.c, site.boss)


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_two_dead_workers_that_ran_children_of_each_others_tasks_do_not_wait_for_each_other(
    site: Site, order: Sequence[str]
) -> None:
    site.pass_on(1, site.boss, site.a)
    site.pass_on(2, site.boss, site.b)
    site.pass_on(10, site.a, site.b, parent=1)
    site.pass_on(20, site.b, site.a, parent=2)
    for name in order:
        site.hops.end_link(site.a if name == "a" else site.b)
    assert sorted(site.reported(site.boss)[1]) == [1, 2]
    assert nothing_left(site.a, site.b, site.boss)


def test_a_child_that_went_up_and_came_down_to_its_parents_dead_worker_ends_over_the_boss(site: Site) -> None:
    site.pass_on(1, site.boss, site.a)
    site.pass_on(10, site.a, site.boss, parent=1)
    site.pass_on(10, site.boss, site.a)
    site.hops.end_link(site.a)
    assert site.reported(site.boss) == ([], [10], [10])
    site.answer(site.boss, 10)
    assert site.reported(site.boss) == ([], [10, 1], [10])


def test_a_child_placed_on_its_parents_own_dead_worker_is_lost_with_it(site: Site) -> None:
    site.pass_on(1, site.boss, site.a)
    site.pass_on(10, site.a, site.a, parent=1)
    site.hops.end_link(site.a)
    assert site.reported(site.boss) == ([], [1], [])
    assert nothing_left(site.a, site.boss)


def test_a_long_chain_of_dead_ancestors_is_reported_without_recursion(site: Site) -> None:
    site.pass_on(1, site.boss, site.a)
    for number in range(2, 5_000):
        before, after = (site.a, site.b) if number % 2 == 0 else (site.b, site.a)
        site.pass_on(number, before, after, parent=number - 1)
    last = site.pass_on(5_001, site.a, site.c, parent=4_999)
    assert site.a.sent.get(Address(4_999)) is not None
    site.hops.end_link(site.a)
    site.hops.end_link(site.b)
    assert site.reported(site.boss) == ([], [], [])
    site.answer(site.c, int(last.address))
    assert site.reported(site.boss) == ([], [1], [])


def test_the_end_of_the_boss_cancels_what_it_gave_and_loses_what_it_took(site: Site) -> None:
    site.pass_on(1, site.boss, site.a)
    site.pass_on(2, site.boss, None)
    site.pass_on(10, site.a, site.boss, parent=1)
    site.hops.end_link(site.boss)
    assert site.reported(site.a) == ([], [10], [1])
    assert len(site.hops.backlog) == 0
    site.answer(site.a, 1)
    assert nothing_left(site.a, site.boss)
