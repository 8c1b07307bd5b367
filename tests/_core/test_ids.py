"""How ids are split, and what addresses tell."""

import pytest

from triort._model.ids import NODE_ID_LIMIT, NodeId, make_address, owner_of, show_address, split_ids


def test_a_range_is_split_evenly_with_a_share_left_for_those_that_join_late() -> None:
    assert split_ids(0, 40, 3) == [(0, 10), (10, 20), (20, 30)]


def test_shares_at_every_level_stay_within_their_range() -> None:
    lower, upper = 0, NODE_ID_LIMIT
    for _ in range(4):
        shares = split_ids(lower + 1, upper, 10)
        assert all(a < b for a, b in shares)
        assert [b for _, b in shares[:-1]] == [a for a, _ in shares[1:]]
        assert (lower < shares[0][0], shares[-1][1] <= upper) == (True, True)
        lower, upper = shares[-1]


def test_a_range_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="too small for 4 employees"):
        split_ids(0, 4, 4)


def test_an_address_tells_who_owns_the_task() -> None:
    address = make_address(NodeId(NODE_ID_LIMIT - 1), 7)
    assert (owner_of(address), show_address(address)) == (NODE_ID_LIMIT - 1, f"{NODE_ID_LIMIT - 1}:7")
    assert address < 2**63
