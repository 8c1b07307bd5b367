"""The order in which waiting tasks start, and in which they are given away."""

from tests._core.makers import make_attempt, make_spec
from triort._core.attempts import Attempt
from triort._core.backlog import GARBAGE_MAX, Backlog, Source
from triort._core.links import Link

DEEP, SHALLOW, URGENT = make_spec(depth=3), make_spec(depth=1), make_spec(depth=1, priority=1)


def fill(*attempts: Attempt) -> Backlog:
    backlog = Backlog()
    for attempt in attempts:
        backlog.add(attempt)
    return backlog


def drain(backlog: Backlog) -> list[int]:
    found = []
    while (attempt := backlog.pop_deepest()) is not None:
        found.append(int(attempt.address))
    return found


def test_tasks_start_by_priority_then_depth_then_age() -> None:
    backlog = fill(
        make_attempt(1, SHALLOW), make_attempt(2, DEEP), make_attempt(3, URGENT), make_attempt(4, DEEP)
    )  # fmt: skip
    assert [int(attempt.address) for attempt in backlog] == [3, 2, 4, 1]
    assert drain(backlog) == [3, 2, 4, 1]
    assert len(backlog) == 0


def test_a_task_put_back_comes_before_those_of_its_rank() -> None:
    backlog = fill(make_attempt(1), make_attempt(2))
    first = backlog.pop_deepest()
    assert first is not None
    backlog.add_first(first)
    assert drain(backlog) == [1, 2]


def test_the_shallowest_of_each_source_is_found_behind_the_others() -> None:
    boss, worker = Link("boss", "boss", below=False), Link("w", "w")
    given = [make_attempt(1, SHALLOW, boss), make_attempt(4, DEEP, boss)]
    backlog = fill(given[0], make_attempt(2, DEEP), make_attempt(3, DEEP, worker), given[1])
    assert [backlog.count(source) for source in Source] == [2, 1, 1]
    assert (boss.waiting, worker.waiting) == (2, 1)
    new = [backlog.pop_shallowest_new() for _ in range(3)]
    assert [attempt and attempt.address for attempt in new] == [2, 3, None]
    assert [backlog.pop_shallowest_given() for _ in range(3)] == [*given, None]
    assert (boss.waiting, worker.waiting, len(backlog)) == (0, 0, 0)


def test_of_what_was_offered_the_shallowest_is_placed_first_but_before_what_is_shallower() -> None:
    worker = Link("w", "w")
    backlog = fill(make_attempt(1, DEEP, worker), make_attempt(2, SHALLOW, worker))
    assert [int(attempt.address) for _ in range(2) if (attempt := backlog.pop_next())] == [2, 1]
    backlog = fill(make_attempt(1, DEEP, worker), make_attempt(2, SHALLOW), make_attempt(3, URGENT, worker))
    assert [int(attempt.address) for _ in range(3) if (attempt := backlog.pop_next())] == [3, 1, 2]


def test_what_is_held_leaves_out_what_was_offered() -> None:
    backlog = fill(make_attempt(1, DEEP, Link("w", "w")), make_attempt(2, SHALLOW))
    assert [int(attempt.address) for attempt in backlog.pop_run(2, is_held=True)] == [2]
    assert backlog.pop_run(1, is_held=True) == []
    assert backlog.next_spec(is_held=True) is None
    assert drain(backlog) == [1]


def test_a_removed_task_never_comes_out_and_is_not_kept() -> None:
    attempts = [make_attempt(number) for number in range(1, 10 * GARBAGE_MAX)]
    backlog = fill(*attempts)
    for attempt in attempts[1:]:
        backlog.remove(attempt)
    assert len(backlog) == 1
    assert sum(len(bucket) for bucket in backlog._buckets.values()) <= 2 * GARBAGE_MAX
    assert drain(backlog) == [1]
