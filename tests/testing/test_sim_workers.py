"""The processes that run seeds: what they return and raise comes home, and none of them can hang the whole."""

import multiprocessing
import os
import time
from collections.abc import Iterator

import pytest

from sim import workers as module
from sim.workers import StuckError, Workers

others: set[int | None] = set()
"""The processes that simulations which ran before keep for those that follow."""


@pytest.fixture(autouse=True)
def nobody_is_left() -> Iterator[None]:
    """Not marked for processes: multiprocessing keeps a process of its own that watches over semaphores."""
    others.update(each.pid for each in multiprocessing.active_children())
    yield
    assert children() == []
    others.clear()


def children() -> list[int | None]:
    """The processes that this test has started."""
    return [each.pid for each in multiprocessing.active_children() if each.pid not in others]


def double(number: int) -> int:
    return 2 * number


def who() -> int:
    return os.getpid()


def die(number: int) -> int:
    if number == 2:
        os._exit(3)
    return number


def hang(number: int) -> int:
    while number:
        time.sleep(0.01)
    return number


def test_with_one_job_all_is_done_in_this_process() -> None:
    with Workers(1) as workers:
        assert list(workers.each(who, [(), ()])) == [os.getpid()] * 2


def test_results_come_home_from_other_processes_that_are_kept() -> None:
    with Workers(2) as workers:
        assert sorted(workers.each(double, [(number,) for number in range(10)])) == list(range(0, 20, 2))
        assert os.getpid() not in set(workers.each(who, [()] * 8))
        assert len(children()) <= 2


def test_a_single_call_is_made_here() -> None:
    with Workers(2) as workers:
        assert list(workers.each(who, [()])) == [os.getpid()]


def test_an_error_comes_home() -> None:
    with Workers(2) as workers, pytest.raises(TypeError):
        list(workers.each(double, [(1,), (None,), (3,)]))


def test_a_process_that_dies_is_told_with_its_call_and_others_take_its_place() -> None:
    with Workers(2) as workers:
        with pytest.raises(StuckError, match="has ended its process") as caught:
            list(workers.each(die, [(number,) for number in range(6)]))
        assert caught.value.number <= 2
        assert sorted(workers.each(double, [(1,), (2,)])) == [2, 4]


def test_a_call_that_hangs_is_told_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CALL_S_MAX", 3.0)
    with Workers(2) as workers:
        with pytest.raises(StuckError, match="does not end within 3 s") as caught:
            list(workers.each(hang, [(0,), (1,), (0,)]))
        assert caught.value.number == 1
        assert children() == []


def test_what_has_not_begun_is_not_done_when_nobody_asks_any_more() -> None:
    with Workers(2) as workers:
        results = workers.each(double, [(number,) for number in range(100)])
        next(results)
        results.close()
        assert sorted(workers.each(double, [(1,), (2,)])) == [2, 4]


def test_an_interrupt_ends_all_processes_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), Workers(2) as workers:
        results = workers.each(hang, [(0,), (1,), (1,), (0,)])
        next(results)
        raise KeyboardInterrupt
