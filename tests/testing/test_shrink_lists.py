"""Lists and figures are made smaller and rounder, and what is needed stays."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triort.testing._shrink.lists import left_out, minimized
from triort.testing._shrink.rounding import rounder


@given(st.integers(0, 60), st.sets(st.integers(0, 59)))
def test_what_is_needed_is_left_and_nothing_else(length: int, wanted: set[int]) -> None:
    items = list(range(length))
    needed = wanted & set(items)
    assert minimized(items, lambda kept: needed <= set(kept)) == sorted(needed)


@given(st.lists(st.booleans(), max_size=12), st.randoms(use_true_random=False))
def test_no_single_item_can_be_taken_away_from_what_is_left(items: list[bool], chance: object) -> None:
    numbers = list(range(len(items)))

    def is_enough(kept: list[int]) -> bool:
        return len(kept) >= len(numbers) // 2 and sum(items[each] for each in kept) % 2 == sum(items) % 2

    left = minimized(numbers, is_enough)
    assert is_enough(left)
    assert not any(is_enough(left_out(left, [each])) for each in left)


def test_one_needed_item_among_many_takes_few_tries() -> None:
    tries: list[int] = []

    def is_enough(kept: list[int]) -> bool:
        tries.append(len(kept))
        return 700 in kept

    assert minimized(range(1024), is_enough) == [700]
    assert len(tries) <= 40


def test_an_empty_list_is_not_tried() -> None:
    assert minimized([], lambda kept: pytest.fail("there is nothing to try")) == []


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (0.0, []),
        (0.001, []),
        (60.0, []),
        (0.012345, [0.01, 0.012, 0.0123]),
        (29.7, [20.0, 29.0]),
        (1.9999, [1.0, 1.9, 1.99]),
        (-3.21, [-3.0, -3.2]),
        (math.inf, []),
    ],
)
def test_rounder_figures_are_smaller_and_never_zero(figure: float, expected: list[float]) -> None:
    assert rounder(figure) == expected


@given(st.floats(1e-9, 1e6))
def test_a_rounder_figure_is_round(figure: float) -> None:
    for rounded in rounder(figure):
        assert 0 < rounded < figure
        assert len(f"{rounded:.12g}".replace(".", "").strip("0").partition("e")[0]) <= 3
