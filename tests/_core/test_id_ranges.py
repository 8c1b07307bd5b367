"""Who gets which ids: no id twice, shares that shrink, and an end."""

import itertools

import pytest

from triort._core.id_ranges import IdRanges
from triort._model.ids import NODE_ID_LIMIT
from triort._model.limits import LATE_IDS_MIN


def test_first_shares_are_even_and_those_that_come_later_get_parts_of_one_more() -> None:
    ids = IdRanges(0, 1 + 4 * 25_600)
    assert ids.shares(3) == [(1, 25_601), (25_601, 51_201), (51_201, 76_801)]
    assert ids.take() == (76_801, 76_901)
    assert ids.take() == (76_901, 77_000)


def test_who_is_asked_for_shares_again_gives_others() -> None:
    ids = IdRanges(0, 100_000)
    [(_, upper)] = ids.shares(1)
    again = ids.shares(2)
    assert again[0][0] == upper
    assert again[0][1] == again[1][0]


def test_workers_have_the_first_half_and_managers_that_join_parts_of_the_other() -> None:
    ids = IdRanges(1_000, 3_001)
    assert ids.workers_upper == 2_001
    assert ids.take() == (2_001, 2_065)


def test_thousands_may_come_before_no_ids_are_left_and_none_gets_an_id_of_another() -> None:
    ids = IdRanges(0, NODE_ID_LIMIT)
    taken = ids.shares(2)
    while (share := ids.take()) is not None:
        taken.append(share)
    assert len(taken) > 2_500
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(taken))
    assert all(upper - lower >= LATE_IDS_MIN for lower, upper in taken)
    assert taken[-1][1] <= NODE_ID_LIMIT
    assert ids.left < LATE_IDS_MIN


def test_too_few_ids_are_an_error() -> None:
    with pytest.raises(ValueError, match="too small"):
        IdRanges(0, 3).shares(5)
    ids = IdRanges(0, 150)
    ids.shares(1)
    with pytest.raises(ValueError, match="too few for 2 more"):
        ids.shares(2)
