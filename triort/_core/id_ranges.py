"""Who below a node gets which ids: first shares, and what is left of the spare share for those that come later.

An id is given once. So a manager that comes again, as another incarnation, gets a range that nobody has had, and a late
word about the old one finds nothing. The first shares are even (`split_ids`), with one more left over. Of what is left
of that, each newcomer gets a 256th: the share shrinks, but thousands can come before there is none.

A node with workers of its own gives these the first half, and newcomers parts of the other.
"""

from __future__ import annotations

import attrs

from triort._model.ids import split_ids
from triort._model.limits import LATE_IDS_MIN, LATE_SHARES

Range = tuple[int, int]


@attrs.define
class IdRanges:
    """The ids ``[lower, upper)`` of a node, of which ``lower`` is its own."""

    lower: int
    upper: int
    _spare: int = attrs.field(init=False)
    _is_split: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._spare = self.lower + 1 + (self.upper - self.lower - 1) // 2

    @property
    def workers_upper(self) -> int:
        """Where the ids end that this node's own workers may have."""
        return self.lower + 1 + (self.upper - self.lower - 1) // 2

    @property
    def left(self) -> int:
        """How many ids are left for newcomers."""
        return self.upper - self._spare

    def shares(self, count: int) -> list[Range]:
        """Ranges for so many managers: even ones the first time. Raises ValueError when there are not enough ids."""
        if count and not self._is_split:
            found = split_ids(self.lower + 1, self.upper, count)
            self._is_split = True
            self._spare = found[-1][1]
            return found
        late = [share for _ in range(count) if (share := self.take()) is not None]
        if len(late) < count:
            raise ValueError(f"{self.left} ids are left, too few for {count} more managers")
        return late

    def take(self) -> Range | None:
        """A range for one more manager; None when too few are left."""
        size = max(self.left // LATE_SHARES, LATE_IDS_MIN)
        if self.left < size:
            return None
        self._spare += size
        return self._spare - size, self._spare
