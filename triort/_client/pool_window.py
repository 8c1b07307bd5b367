"""How many calls of an `Executor` are in the cluster at once."""

from __future__ import annotations

import attrs

from triort._model.limits import POOL_BUCKET_S, POOL_CALLS_MAX


@attrs.define(eq=False)
class Window:
    """Two calls for each worker, and beside these as many as have ended of late: short ones must not run out."""

    num_workers: int
    limit: int | None = None
    """What the user has set; it is kept exactly."""
    is_own: bool = False
    """Whether all workers are on this host, and this pool's own."""
    follows: bool = False
    """Whether the number of workers may change."""
    _began_at: float = 0.0
    _count: int = 0
    _count_before: int = 0

    def note_ended(self, count: int, now: float) -> None:
        """So many calls have ended."""
        age_s = now - self._began_at
        if age_s >= POOL_BUCKET_S:
            self._count_before = self._count if age_s < 2 * POOL_BUCKET_S else 0
            self._count, self._began_at = 0, now
        self._count += count

    def size(self) -> int:
        """How many calls may be in the cluster now."""
        if self.limit is not None:
            return self.limit
        least = 2 * max(self.num_workers, 1)
        return max(min(least + self._count + self._count_before, POOL_CALLS_MAX), least)
