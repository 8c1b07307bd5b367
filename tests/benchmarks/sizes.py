"""How much the rows of the suite do: as they are meant, and tiny, which only shows whether they run."""

from __future__ import annotations

import attrs

MIB = 1 << 20


@attrs.frozen
class Sizes:
    """The numbers of all rows."""

    flat: int = 10_000
    depth: int = 3
    fan: int = 10
    fib: int = 14
    trips: int = 500
    blob_bytes: int = 64 * MIB
    pieces: int = 200
    piece_bytes: int = MIB
    spread: int = 10_000
    long_each: int = 100
    """One in so many tasks of the spread is a long one."""
    long_s: float = 0.1
    cancelled: int = 5_000
    queued: int = 100_000
    queued_million: int = 1_000_000
    counts: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    node_tasks: int = 100_000

    def shared(self, share: float) -> Sizes:
        """The same with a share of the tasks, for peers that would take minutes."""
        return attrs.evolve(
            self,
            flat=max(int(self.flat * share), 1),
            trips=max(int(self.trips * share), 10),
            spread=max(int(self.spread * share), self.long_each),
            queued=max(int(self.queued * share), 1),
            counts=tuple(count for count in self.counts if count <= max(self.counts) * share) or self.counts[:1],
        )


TINY = Sizes(
    flat=200,
    depth=2,
    fan=3,
    fib=5,
    trips=20,
    blob_bytes=MIB,
    pieces=5,
    piece_bytes=MIB // 16,
    spread=200,
    long_each=50,
    long_s=0.02,
    cancelled=100,
    queued=2_000,
    queued_million=4_000,
    counts=(50, 200, 400),
    node_tasks=2_000,
)
