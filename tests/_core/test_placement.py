"""Who gets which task: idle first and evenly, then by credit."""

from tests._core.makers import FN, JOB, SPEC, Node, make_attempt, make_spec, own, submit
from triort._core.backlog import Backlog
from triort._core.employee import Employee
from triort._core.links import Link
from triort._core.packing import pack
from triort._core.placement import Placement
from triort._model.ids import Digest
from triort._model.limits import CREDIT_PLENTY_US, CREDIT_TASKS_MAX, CREDIT_US, STOCK_US
from triort._model.messages import Options, TaskSpec

OFFERER = Link("offerer", "offerer")
GIVEN_BEFORE = 1_000_000


def employee(name: str, workers: int = 1, idle: int = 0, *, wanted: int = 0) -> Employee:
    made = Employee(Link(name, name), name, "manager", 0, 1, 0, workers, idle)
    made.wanted = wanted
    return made


def placement(cost_us: int | None = None, draw: int = 0) -> Placement:
    made = Placement(choose=lambda name, n: draw % n)
    if cost_us is not None:
        made.measure(FN, cost_us)
    return made


def queue(count: int, origin: Link | None = None) -> Backlog:
    backlog = Backlog()
    for number in range(count):
        backlog.add(make_attempt(number, origin=origin))
    return backlog


def given(*employees: Employee) -> list[list[int]]:
    return [[int(address) for address in each.link.sent] for each in employees]


def test_idle_workers_are_served_evenly_those_with_more_first() -> None:
    a, b, c = employee("a", 2, 1), employee("b", 4, 3), employee("c", 4, 0)
    pairs = placement().assign([make_attempt(number) for number in range(6)], [a, b, c])
    assert [(attempt.address, who.name) for attempt, who in pairs] == [(0, "b"), (1, "a"), (2, "b"), (3, "b")]
    assert [each.num_idle_workers for each in (a, b, c)] == [0, 0, 0]


def test_equals_are_taken_in_a_random_order() -> None:
    for draw, names in [(0, "abc"), (1, "bca"), (2, "cab")]:
        employees = [employee(name, 1, 1) for name in "abc"]
        pairs = placement(draw=draw).assign([make_attempt(number) for number in range(3)], employees)
        assert [who.name for _, who in pairs] == list(names)


def test_a_function_never_measured_goes_to_idle_workers_only() -> None:
    a, backlog = employee("a"), queue(2)
    placement().fill(backlog, [], [a], 0.0)
    assert (given(a), len(backlog)) == ([[]], 2)


def test_nothing_is_sent_to_who_gets_no_share() -> None:
    a, b, backlog = employee("a"), employee("b"), queue(1)
    placement(CREDIT_US // 4).fill(backlog, [], [a, b], 0.0)
    assert (given(a, b), a.link.is_touched, b.link.is_touched) == ([[0], []], True, False)


def test_a_measured_function_is_given_ahead_as_far_as_credit_goes() -> None:
    a, b, backlog = employee("a", 1), employee("b", 2), queue(100)
    placement(CREDIT_PLENTY_US // 4).fill(backlog, [], [a, b], 0.0)
    assert [len(addresses) for addresses in given(a, b)] == [4, 8]
    assert len(backlog) == 88


def test_credit_is_bounded_in_tasks_too_and_comes_back_with_results() -> None:
    a, backlog = employee("a"), queue(2 * CREDIT_TASKS_MAX)
    chooser = placement(1)
    chooser.fill(backlog, [], [a], 0.0)
    assert len(a.link.sent) == CREDIT_TASKS_MAX
    pack(a.link, [], {SPEC.job: {FN: b""}}, 0.0)
    for address in list(a.link.sent)[:3]:
        a.link.close(address)
    chooser.fill(backlog, [], [a], 0.0)
    assert len(a.link.sent) == CREDIT_TASKS_MAX


def test_what_was_offered_goes_beyond_idle_workers_only_to_the_hungry_and_the_poor() -> None:
    rich, poor, hungry = employee("rich", wanted=1), employee("poor", wanted=2), employee("hungry")
    rich.granted = poor.granted = 2
    backlog = queue(20, OFFERER)
    placement(CREDIT_US // 2).fill(backlog, [hungry], [rich, poor, hungry], 0.0)
    assert [len(addresses) for addresses in given(rich, poor, hungry)] == [0, 2, 2]
    assert len(backlog) == 16


def test_what_was_offered_and_submits_others_itself_goes_to_idle_workers_alone() -> None:
    idle, poor = employee("idle", idle=1), employee("poor", wanted=2)
    poor.granted = 2
    chooser, backlog = placement(CREDIT_US // 8), queue(9, OFFERER)
    chooser.note_parent(FN, SPEC.depth)
    chooser.assign(backlog.pop_run(1, is_held=False), [idle, poor])
    chooser.fill(backlog, [idle], [idle, poor], 0.0)
    assert [len(addresses) for addresses in given(idle, poor)] == [1, 0]
    chooser.fill(queue(9), [], [poor], 0.0)
    assert len(poor.link.sent) == 8


def test_a_function_is_known_to_submit_others_once_one_of_them_has_come() -> None:
    node = Node(1)
    node.above(*submit(1))
    assert not node.core.placement.nesting
    node.below("w0", *submit(own(0, 1), spec=make_spec(depth=3), parents=[1]))
    assert node.core.placement.nesting == {(FN, 2)}  # the parent that is named need not be the nearest one


def test_there_is_more_credit_while_there_is_plenty_of_what_was_not_offered_from_below() -> None:
    cost_us = 3 * CREDIT_PLENTY_US // 4
    for origin, waiting, tasks in [(None, 9, 2), (None, 3, 2), (None, 2, 1), (OFFERER, 9, 1)]:
        a = employee("a", wanted=2)
        a.granted = 2
        placement(cost_us).fill(queue(waiting, origin), [], [a], 0.0)
        assert len(a.link.sent) == tasks


def test_an_unmeasured_task_in_front_holds_up_those_behind_it() -> None:
    a, backlog = employee("a"), queue(1)
    unknown = make_attempt(9, TaskSpec(JOB, Digest(b"other"), "other", 5, Options()))
    backlog.add(unknown)
    placement(100).fill(backlog, [], [a], 0.0)
    assert (given(a), [int(each.address) for each in backlog]) == ([[]], [9, 0])


def test_nothing_is_queued_behind_a_long_task_for_a_while() -> None:
    a, backlog = employee("a"), queue(1)
    a.stuck_until = 1.0
    chooser = placement(100)
    chooser.fill(backlog, [], [a], 0.5)
    assert given(a) == [[]]
    chooser.fill(backlog, [], [a], 1.0)
    assert given(a) == [[0]]


def test_an_employee_without_workers_gets_nothing() -> None:
    a, backlog = employee("a", 0), queue(1)
    placement(100).fill(backlog, [], [a], 0.0)
    assert given(a) == [[]]


def test_durations_are_averaged() -> None:
    chooser = placement(100)
    chooser.measure(FN, 200)
    assert chooser.costs == {FN: 120.0}
    chooser.measure(Digest(b"other"), 1120)
    assert chooser.mean_us == 320.0


# -- the stock of a manager ----------------------------------------------------------------------------------------


def busy(name: str, workers: int, tasks: int) -> Employee:
    """A manager without idle workers that was given so many tasks."""
    made = employee(name, workers)
    for number in range(tasks):
        made.link.place(make_attempt(GIVEN_BEFORE + number))
        made.link.queued, made.link.queued_us = 100, 100 * STOCK_US
    return made


def new(who: Employee) -> int:
    """How many tasks it was given since."""
    return sum(address < GIVEN_BEFORE for address in who.link.sent)


def test_a_busy_manager_is_given_a_stock_which_is_larger_the_shorter_the_tasks_are() -> None:
    for cost_us, stock in [(STOCK_US // 4, 16), (STOCK_US, 8), (4 * STOCK_US, 4), (100 * STOCK_US, 0)]:
        a, backlog = busy("a", 8, 8), queue(100)
        placement(cost_us).fill(backlog, [], [a], 0.0, [a])
        assert (new(a), len(backlog)) == (stock, 100 - stock)


def test_a_stock_is_filled_up_when_half_of_it_is_gone() -> None:
    for tasks, given_now in [(15, 0), (12, 0), (11, 5), (9, 7)]:
        a, backlog = busy("a", 8, tasks), queue(100)
        placement(STOCK_US).fill(backlog, [], [a], 0.0, [a])
        assert new(a) == given_now


def test_what_there_is_goes_to_the_smallest_stocks() -> None:
    a, b, c = busy("a", 4, 4), busy("b", 8, 8), busy("c", 4, 5)
    placement(STOCK_US).fill(queue(5), [], [a, b, c], 0.0, [a, b, c])
    assert [new(each) for each in (a, b, c)] == [2, 3, 0]


def test_a_manager_whose_workers_have_other_tasks_than_these_has_its_credit_alone() -> None:
    """They run what was submitted below, or news of their being idle is on its way."""
    a = busy("a", 8, 7)
    placement(STOCK_US).fill(queue(100), [], [a], 0.0, [a])
    a.num_own_tasks = 40
    placement(STOCK_US).fill(queue(100), [], [a], 0.0, [a])
    assert new(a) == 0


def test_what_was_offered_becomes_the_stock_of_the_hungry_and_the_poor_alone() -> None:
    rich, poor, hungry = busy("rich", 8, 8), busy("poor", 8, 8), busy("hungry", 8, 8)
    rich.granted, rich.wanted = 2, 1
    poor.granted = poor.wanted = 2
    placement(STOCK_US).fill(queue(100, OFFERER), [hungry], [rich, poor, hungry], 0.0, [rich, poor, hungry])
    assert [new(each) for each in (rich, poor, hungry)] == [0, 8, 8]


def test_no_stock_is_made_of_what_was_never_measured_or_given_to_whom_cannot_be_reached() -> None:
    a = busy("a", 8, 8)
    chooser = placement()
    chooser.measure(Digest(b"other"), STOCK_US)
    chooser.fill(queue(100), [], [a], 0.0, [a])
    a.is_stalled = True
    placement(STOCK_US).fill(queue(100), [], [a], 0.0, [a])
    assert new(a) == 0


def test_a_stock_is_bounded_in_tasks() -> None:
    a = busy("a", 100, 100)
    placement(1).fill(queue(3 * CREDIT_TASKS_MAX), [], [a], 0.0, [a])
    assert new(a) == CREDIT_TASKS_MAX
