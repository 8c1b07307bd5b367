"""Tasks that wait here for a place, in starting order: priority, then depth (deepest first), then age.

Deepest first keeps memory bounded: a tree is worked off leaf by leaf instead of level by level. What is given away
is the other end, the shallowest: the largest piece of work for one message. So a node hands out of what was offered to
it the shallowest, too (`Backlog.pop_next`); by the deepest, it would pass leaves around while the large pieces wait.

Each rank is kept apart by where its tasks came from, for that decides where they may go: what the boss has *given* may
only run below or go back to it, what this node *owns* or employees have *offered* may go up as new. So none of these
has to be searched for behind the others.

Some wait *aside*, in the order in which they came, and are taken by nobody who does not ask for these: at a node with
workers the suspects (see `suspects`), at a worker the children of a suspect, which are to leave.
"""

import enum
from bisect import insort
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from triort._core.attempts import Attempt
from triort._model.messages import TaskSpec

GARBAGE_MAX = 64


class Source(enum.IntEnum):
    """Where a waiting task came from."""

    GIVEN = 0
    OWN = 1
    OFFERED = 2


Rank = tuple[int, int, int]


class Backlog:
    """A priority queue with few distinct ranks. A removed attempt is marked and skipped later, so removal is O(1)."""

    __slots__ = ("_aside", "_buckets", "_count", "_counts", "_garbage", "_ranks", "isolates", "num_aside")

    def __init__(self) -> None:
        self.isolates = False
        """Whether suspects wait aside."""
        self.num_aside = 0
        self._aside: deque[Attempt] = deque()
        self._buckets: dict[Rank, deque[Attempt]] = {}
        self._ranks: list[Rank] = []
        self._count = 0
        self._counts = [0, 0, 0]
        self._garbage = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Attempt]:
        for rank in reversed(self._ranks):
            yield from (attempt for attempt in self._buckets[rank] if attempt.queued)

    @property
    def num_waiting(self) -> int:
        """All that wait here, also aside."""
        return self._count + self.num_aside

    def count(self, source: Source) -> int:
        """How many came from there."""
        return self._counts[source]

    def add(self, attempt: Attempt) -> None:
        """Put an attempt behind those of its rank."""
        if attempt.alone and self.isolates:
            self.set_aside(attempt)
        else:
            self._bucket(attempt).append(attempt)

    def add_all(self, attempts: Sequence[Attempt]) -> None:
        """Put attempts behind those of their rank: together, if they have one spec and origin, as those of a map do."""
        if len(attempts) > 1 and self._are_alike(attempts):
            self._bucket(attempts[0], len(attempts)).extend(attempts)
            for attempt in attempts:
                attempt.queued = True
        else:
            for attempt in attempts:
                self.add(attempt)

    def add_first(self, attempt: Attempt) -> None:
        """Put an attempt back in front of those of its rank."""
        if attempt.alone and self.isolates:
            self.set_aside(attempt)
        else:
            self._bucket(attempt).appendleft(attempt)

    def set_aside(self, attempt: Attempt) -> None:
        """Let an attempt wait apart from the others."""
        attempt.queued = attempt.aside = True
        self.num_aside += 1
        self._aside.append(attempt)

    def pop_aside(self) -> Attempt | None:
        """Take the one that has waited longest apart from the others."""
        if not self.num_aside:
            return None
        attempt = self._aside.popleft()
        attempt.queued = attempt.aside = False
        self.num_aside -= 1
        return attempt

    def list_aside(self) -> list[Attempt]:
        """Those that wait apart from the others."""
        return list(self._aside)

    def remove(self, attempt: Attempt) -> None:
        """Take out a certain attempt, which is in here."""
        if attempt.aside:
            self._aside.remove(attempt)
            attempt.queued = attempt.aside = False
            self.num_aside -= 1
            return
        self._leave(attempt)
        self._garbage += 1
        if self._garbage > self._count + GARBAGE_MAX or not self._count:
            self._sweep()

    def pop_deepest(self) -> Attempt | None:
        """Take the attempt that starts next."""
        if self._count:
            for rank in reversed(self._ranks):
                bucket = self._buckets[rank]
                while bucket:
                    attempt = bucket.popleft()
                    if attempt.queued:
                        self._leave(attempt)
                        return attempt
                    self._garbage -= 1
        return None

    def pop_next(self) -> Attempt | None:
        """Take the one that a node places next: the deepest, where what was offered counts by its shallowest."""
        rank = self._next_rank()
        return None if rank is None else self._take(rank)

    def next_spec(self, *, is_held: bool) -> TaskSpec | None:
        """Of the one that is placed next, or next of those that were given or are this node's own."""
        rank = self._rank_of(is_held)
        return None if rank is None else self._buckets[rank][0].spec

    def pop_run(self, count: int, *, is_held: bool) -> list[Attempt]:
        """Take those that are placed next, up to so many that stand one behind the other and have one function."""
        rank = self._rank_of(is_held)
        if rank is None:
            return []
        run: list[Attempt] = []
        bucket = self._buckets[rank]
        function = bucket[0].spec.function
        while bucket and len(run) < count:
            attempt = bucket[0]
            if not attempt.queued:
                self._garbage -= 1
            elif attempt.spec.function == function:
                run.append(attempt)
            else:
                break
            bucket.popleft()
        if run:
            self._leave_together(run, rank[2])
        return run

    def _leave_together(self, run: list[Attempt], source: int) -> None:
        if source == Source.OFFERED:  # by several employees
            for attempt in run:
                self._leave(attempt)
            return
        for attempt in run:
            attempt.queued = False
        self._count -= len(run)
        self._counts[source] -= len(run)
        if (origin := run[0].origin) is not None:
            origin.waiting -= len(run)

    def _rank_of(self, is_held: bool) -> Rank | None:
        return self._held_rank() if is_held else self._next_rank()

    def _held_rank(self) -> Rank | None:
        if not (self._counts[0] or self._counts[1]):
            return None
        return self._find(range(len(self._ranks) - 1, -1, -1), 0, 1)

    def _next_rank(self) -> Rank | None:
        if not self._count:
            return None
        if not self._counts[2]:
            return self._held_rank()
        downwards = range(len(self._ranks) - 1, -1, -1)
        top = self._find(downwards, 2, 2)
        assert top is not None
        offered = self._find((i for i in range(len(self._ranks)) if self._ranks[i][0] == top[0]), 2, 2)
        held = self._find(downwards, 0, 1)
        return offered if held is None or (offered is not None and offered[:2] > held[:2]) else held

    def pop_shallowest_new(self) -> Attempt | None:
        """Take the oldest of the lowest rank that may go up as new."""
        return self._pop(range(len(self._ranks)), 1, 2) if self._counts[1] or self._counts[2] else None

    def pop_shallowest_given(self) -> Attempt | None:
        """Take the oldest of the lowest rank that may go back to the boss."""
        return self._pop(range(len(self._ranks)), 0, 0) if self._counts[0] else None

    def _pop(self, positions: Iterable[int], lowest: int, highest: int) -> Attempt | None:
        rank = self._find(positions, lowest, highest) if self._count else None
        return None if rank is None else self._take(rank)

    def _find(self, positions: Iterable[int], lowest: int, highest: int) -> Rank | None:
        """The first rank of these sources that has an attempt; its first attempt is in place then."""
        for position in positions:
            rank = self._ranks[position]
            if lowest <= rank[2] <= highest:
                bucket = self._buckets[rank]
                while bucket and not bucket[0].queued:
                    bucket.popleft()
                    self._garbage -= 1
                if bucket:
                    return rank
        return None

    def _take(self, rank: Rank) -> Attempt:
        attempt = self._buckets[rank].popleft()
        self._leave(attempt)
        return attempt

    def _leave(self, attempt: Attempt) -> None:
        attempt.queued = False
        self._count -= 1
        origin = attempt.origin
        if origin is None:
            self._counts[1] -= 1
        else:
            origin.waiting -= 1
            if origin.below:
                self._counts[2] -= 1
                origin.touch()
            else:
                self._counts[0] -= 1

    def _are_alike(self, attempts: Sequence[Attempt]) -> bool:
        """Whether they go to the same place."""
        if self.isolates and any(attempt.alone for attempt in attempts):
            return False
        return len({id(attempt.spec) for attempt in attempts}) == len({id(attempt.origin) for attempt in attempts}) == 1

    def _sweep(self) -> None:
        """Drop what was removed, and empty ranks."""
        self._garbage = 0
        kept = {rank: deque(a for a in bucket if a.queued) for rank, bucket in self._buckets.items()}
        self._buckets = {rank: bucket for rank, bucket in kept.items() if bucket}
        self._ranks = sorted(self._buckets)

    def _bucket(self, attempt: Attempt, count: int = 1) -> "deque[Attempt]":
        """Count the attempt in, and others like it, and find its place."""
        attempt.queued = True
        self._count += count
        origin = attempt.origin
        if origin is None:
            source = 1
        else:
            origin.waiting += count
            source = 2 if origin.below else 0
        self._counts[source] += count
        spec = attempt.spec
        rank = (spec.options.priority, spec.depth, source)
        bucket = self._buckets.get(rank)
        if bucket is None:
            if len(self._ranks) > 2 * self._count + GARBAGE_MAX:
                self._sweep()
            bucket = self._buckets[rank] = deque()
            insort(self._ranks, rank)
        return bucket
