"""Tasks that wait here for a place, in starting order: priority, then depth (deepest first), then age.

Deepest first keeps memory bounded: a tree is worked off leaf by leaf instead of level by level. What is given away
is the other end, the shallowest: the largest piece of work for one message.
"""

from collections import deque
from collections.abc import Iterator

from triort._core.attempts import Attempt

Rank = tuple[int, int]


class Backlog:
    """A priority queue with few distinct ranks. A removed attempt is marked and skipped later, so removal is O(1)."""

    __slots__ = ("_buckets", "_count", "_ranks")

    def __init__(self) -> None:
        self._buckets: dict[Rank, deque[Attempt]] = {}
        self._ranks: list[Rank] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Attempt]:
        for rank in reversed(self._ranks):
            yield from (attempt for attempt in self._buckets[rank] if attempt.queued)

    def add(self, attempt: Attempt) -> None:
        """Put an attempt behind those of its rank."""
        self._bucket(attempt).append(attempt)
        self._enter(attempt)

    def add_first(self, attempt: Attempt) -> None:
        """Put an attempt back in front of those of its rank."""
        self._bucket(attempt).appendleft(attempt)
        self._enter(attempt)

    def remove(self, attempt: Attempt) -> None:
        """Take out a certain attempt, which is in here."""
        self._leave(attempt)
        if not self._count:
            self._buckets.clear()
            self._ranks.clear()

    def pop_deepest(self) -> Attempt:
        """Take the attempt that starts next."""
        return self._pop(-1)

    def pop_shallowest(self) -> Attempt:
        """Take the oldest attempt of the lowest rank: the one to give away."""
        return self._pop(0)

    def _pop(self, end: int) -> Attempt:
        while True:
            rank = self._ranks[end]
            bucket = self._buckets[rank]
            while bucket:
                attempt = bucket.popleft()
                if attempt.queued:
                    self._leave(attempt)
                    return attempt
            del self._buckets[rank], self._ranks[end]

    def _enter(self, attempt: Attempt) -> None:
        attempt.queued = True
        self._count += 1
        if attempt.origin is not None:
            attempt.origin.waiting += 1

    def _leave(self, attempt: Attempt) -> None:
        attempt.queued = False
        self._count -= 1
        if attempt.origin is not None:
            attempt.origin.waiting -= 1

    def _bucket(self, attempt: Attempt) -> deque[Attempt]:
        rank = (attempt.spec.options.priority, attempt.spec.depth)
        bucket = self._buckets.get(rank)
        if bucket is None:
            bucket = self._buckets[rank] = deque()
            self._ranks.append(rank)
            self._ranks.sort()
        return bucket
