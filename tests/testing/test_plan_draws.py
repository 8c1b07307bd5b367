"""Draws depend on the seed and their names alone, and fall as they should."""

import math
import os
import subprocess
import sys
from collections import Counter

import pytest

from triort._model.errors import UsageError
from triort.testing._plan.draws import Draws
from triort.testing._plan.plan import LATENCIES

MANY = 20_000


def test_a_draw_is_the_same_whatever_was_drawn_before() -> None:
    first, second = Draws(7), Draws(7)
    for number in range(100):
        second.unit("something else", number)
    assert first.unit("link", "m0.w1", 3) == second.unit("link", "m0.w1", 3)


def test_draws_of_other_seeds_and_names_differ() -> None:
    draws = {
        Draws(seed).unit(*names) for seed in range(50) for names in [("a",), ("b",), ("a", 1), ("a", "b"), ("ab",)]
    }
    assert len(draws) == 250


def test_names_keep_their_borders() -> None:
    assert Draws(1).unit("ab", "c") != Draws(1).unit("a", "bc")
    assert Draws(1).unit("a", 12, 3) != Draws(1).unit("a", 1, 23)
    assert Draws(1).unit("a", 1) == Draws(1).unit("a", "1")


def test_these_draws_are_those_of_all_times() -> None:
    draws = Draws(97)
    assert draws.unit("j0.1", "seconds", 3) == 0.10757874090237463
    assert draws.integer(1000, "choose", "s", 4) == 807
    assert draws.latency("tail", "m0", "up", 12) == 0.00010000000693124948
    assert draws.heavy_tail(1.0, 50.0, "a") == 1.650985844576471
    assert draws.exponential(1.0, "a") == 2.5168892695637792


def test_draws_do_not_depend_on_the_hash_seed_of_the_process() -> None:
    code = "from triort.testing._plan.draws import Draws; print(Draws(3).unit('a', 1), Draws(3).integer(99, 'b'))"
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "12345")
    }
    assert len(answers) == 1


def test_units_are_spread_evenly() -> None:
    units = [Draws(5).unit("u", number) for number in range(MANY)]
    assert all(0.0 <= unit < 1.0 for unit in units)
    counts = Counter(int(unit * 10) for unit in units)
    assert all(abs(count - MANY / 10) < 200 for count in counts.values())


def test_integers_reach_each_number_about_as_often() -> None:
    counts = Counter(Draws(5).integer(7, "i", number) for number in range(MANY))
    assert sorted(counts) == list(range(7))
    assert all(abs(count - MANY / 7) < 200 for count in counts.values())
    assert {Draws(5).between(-2, 2, "b", number) for number in range(200)} == {-2, -1, 0, 1, 2}
    assert {Draws(5).choice("xyz", "c", number) for number in range(200)} == {"x", "y", "z"}


def test_there_is_no_number_out_of_none() -> None:
    with pytest.raises(UsageError, match="at least one number, not from 0"):
        Draws(1).integer(0, "a")


def test_chances_and_ranges_hold() -> None:
    draws = Draws(8)
    hits = sum(draws.chance(0.2, "c", number) for number in range(MANY))
    assert abs(hits - 0.2 * MANY) < 250
    assert not any(draws.chance(0.0, "never", number) for number in range(1000))
    assert all(draws.chance(1.0, "always", number) for number in range(1000))
    assert all(3.0 <= draws.uniform(3.0, 4.0, "r", number) < 4.0 for number in range(1000))


def test_exponential_draws_have_their_mean() -> None:
    values = [Draws(2).exponential(3.0, "e", number) for number in range(MANY)]
    assert min(values) >= 0.0
    assert abs(sum(values) / MANY - 3.0) < 0.1
    again = [-3.0 * math.log1p(-Draws(2).unit("e", number)) for number in range(MANY)]
    assert values == pytest.approx(again, rel=1e-13)


def test_heavy_tails_are_mostly_short_and_never_beyond_their_bound() -> None:
    values = sorted(Draws(2).heavy_tail(1.0, 20.0, "h", number) for number in range(MANY))
    assert values[0] >= 0.25
    assert values[MANY // 2] < 0.5
    assert 10.0 < values[-20] <= values[-1] == 20.0


@pytest.mark.parametrize("name", LATENCIES)
def test_latencies_lie_within_their_class(name: str) -> None:
    low, high = LATENCIES[name]
    values = [Draws(4).latency(name, "m0", "up", number) for number in range(2000)]
    assert all(low <= value <= high for value in values)
    assert low == high or max(values) > low + 0.9 * (high - low)


def test_few_latencies_of_the_tail_are_long() -> None:
    values = [Draws(4).latency("tail", "m0", "up", number) for number in range(MANY)]
    assert 0.005 < sum(value > 0.1 for value in values) / MANY < 0.04
    assert sum(value < 0.001 for value in values) / MANY > 0.75


def test_an_unknown_latency_class_is_named_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="no latency class 'lahn'; there are memory, local, lan, wan, tail"):
        Draws(1).latency("lahn", "m0")
