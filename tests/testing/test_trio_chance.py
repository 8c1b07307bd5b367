"""Taking hold of trio's Random, beside a real Hypothesis or without one, and giving all back."""

import importlib.metadata
import random
import subprocess
import sys
from collections.abc import Iterator

import hypothesis
import pytest
import trio
from hypothesis import strategies

from triort import UsageError
from triort.testing._trio import chance
from triort.testing._trio.chance import seize
from triort.testing._trio.run import run
from triort.testing._trio.schedule import schedule_named

LOOP = vars(trio._core._run)
FLAG = "_ALLOW_DETERMINISTIC_SCHEDULING"


@pytest.fixture
def trio_untouched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trio as in a process without Hypothesis, which sets the flag for good when it is imported."""
    monkeypatch.setitem(LOOP, FLAG, False)
    yield
    assert LOOP[FLAG] is False


@pytest.fixture
def no_entry_point(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: ())
    chance._entry_point.cache_clear()
    yield
    chance._entry_point.cache_clear()


@pytest.mark.usefixtures("trio_untouched")
def test_the_entry_point_hands_over_the_random_and_sets_the_flag_for_so_long() -> None:
    assert chance._entry_point() is not None
    with seize() as taken:
        assert taken is LOOP["_r"]
        assert LOOP[FLAG] is True
    assert LOOP[FLAG] is False


@pytest.mark.usefixtures("trio_untouched", "no_entry_point")
def test_the_private_names_do_as_well() -> None:
    with seize() as taken:
        assert taken is LOOP["_r"]
        assert LOOP[FLAG] is True
    assert LOOP[FLAG] is False
    assert sorted(run(wake_order)) == [0, 1, 2, 3, 4]


@pytest.mark.usefixtures("no_entry_point")
@pytest.mark.parametrize("name", ["_r", FLAG])
def test_without_either_there_is_a_refusal_that_names_the_version(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(LOOP, name)
    with pytest.raises(UsageError, match=f"^trio {trio.__version__} cannot be simulated: .*; use one of"), seize():
        pass


@pytest.mark.usefixtures("trio_untouched")
def test_a_trio_that_goes_past_our_schedule_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chance, "_handed_over", lambda plugin: random.Random(1))
    with pytest.raises(UsageError, match=r"does not ask for our schedule"):
        run(wake_order)


def test_a_flag_that_was_set_before_stays_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOOP, FLAG, True)
    with seize():
        pass
    assert LOOP[FLAG] is True


def test_an_error_inside_gives_all_back() -> None:
    before = sys.modules["hypothesis"]
    schedule = schedule_named("random", 1)
    with pytest.raises(LookupError), seize() as taken, schedule.on(taken):
        raise LookupError
    assert sys.modules["hypothesis"] is before
    assert {"shuffle", "random"} & set(vars(LOOP["_r"])) == set()


def test_only_one_schedule_holds_the_random() -> None:
    with seize() as taken, schedule_named("fifo", 0).on(taken):
        second = schedule_named("fifo", 0)
        with pytest.raises(UsageError, match="another simulation"), second.on(taken):
            pass
    assert "shuffle" not in vars(taken)


async def wake_order(size: int = 5) -> list[int]:
    woken: list[int] = []

    async def wake(i: int) -> None:
        await trio.sleep(1)
        woken.append(i)

    async with trio.open_nursery() as nursery:
        for i in range(size):
            nursery.start_soon(wake, i)
    return woken


@hypothesis.given(size=strategies.integers(1, 20), seed=strategies.integers(0, 2**80))
def test_a_simulation_runs_within_a_hypothesis_test(size: int, seed: int) -> None:
    assert run(wake_order, size, seed=seed) == run(wake_order, size, seed=seed)


def test_hypothesis_still_works_afterwards_and_still_shrinks() -> None:
    run(wake_order)
    smallest = hypothesis.find(strategies.lists(strategies.integers()), lambda numbers: sum(numbers) > 10)
    assert smallest == [11]


WITHOUT_HYPOTHESIS = """
import sys
from triort.testing._trio.run import run
import trio
async def main():
    await trio.sleep(1)
    return "ran"
print(run(main), "hypothesis" in sys.modules, trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING)
import hypothesis, hypothesis.strategies as st
hypothesis.find(st.integers(), lambda n: True)
print(run(main), hypothesis is sys.modules["hypothesis"])
"""


@pytest.mark.processes
def test_hypothesis_may_be_imported_after_a_run() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_HYPOTHESIS], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["ran False False", "ran True"], done.stderr
