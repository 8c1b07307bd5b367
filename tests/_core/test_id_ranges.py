"""Who gets which ids: no id twice, shares that shrink, and an end; and who may use them."""

import itertools

import pytest

from tests._core.makers import Node, submit
from triort._core.id_ranges import IdRanges
from triort._model.errors import ProtocolError
from triort._model.ids import NODE_ID_LIMIT, NodeId, make_address
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


@pytest.mark.parametrize("whose", [(3, 1), (0, 1), (2**30 - 1, 5)])
def test_an_employee_offers_what_was_submitted_below_it_and_nothing_else(whose: tuple[int, int]) -> None:
    node = Node(2, managers=[4])
    node.above(*submit(1, 2, 3))
    node.employee("m0").upper_id = 105
    theirs = make_address(NodeId(whose[0]), whose[1])
    for name, lowest in (("w0", 1), ("m0", 101)):
        (parent, *_) = node.link(name).sent
        first = make_address(NodeId(lowest), 1)
        with pytest.raises(ProtocolError, match=f"{name} offered a task that was not submitted below it"):
            node.below(name, *submit(first, theirs, parents=[parent, parent]))
        assert not node.link(name).received
    (parent, *_) = node.link("m0").sent
    ends = make_address(NodeId(101), 0), make_address(NodeId(104), 2**33 - 1)
    node.below("m0", *submit(*ends, parents=[parent, parent]))
    assert list(node.link("m0").received) == list(ends)
