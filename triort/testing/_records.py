"""What is in the journal of a simulated server, in either tier: a list that survives it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from triort._core.journal import Write
from triort._model.ids import JobId

Records = list[tuple[JobId, bytes]]

COMMIT_S = (1e-4, 1e-2)
"""So long a commit takes."""


def written(records: Iterable[tuple[JobId, bytes]], writes: Sequence[Write]) -> Records:
    """What there is after these writes."""
    after = list(records)
    for write in writes:
        if write.data:
            after.append((write.job, b"".join(map(bytes, write.data))))
        else:
            after = [record for record in after if record[0] != write.job]
    return after
