"""Sets of values with a bound: beyond it, any value will do."""

from __future__ import annotations

Values = frozenset[int] | None

VALUES_MAX = 256
ANY: Values = None


def added(left: Values, right: Values) -> Values:
    """All sums of one of these and one of those; nothing plus any is nothing."""
    if left == frozenset() or right == frozenset():
        return frozenset()
    if left is None or right is None:
        return ANY
    if len(left) == 1:
        (offset,) = left
        return frozenset(offset + value for value in right)
    return cut_to_size(frozenset(a + b for a in left for b in right))


def cut_to_size(values: frozenset[int]) -> Values:
    """The same set, or any value if there are too many."""
    return values if len(values) <= VALUES_MAX else ANY
