"""When those below learn that a job has ended, and its blobs can go: with what they are told next, or after a while.

A message of its own for each small job would wake each process that has had a part in it once more, which is half of
what the job costs them. So an ended job waits in its links for company, `FORGET_S` at most. Large blobs do not wait.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import attrs

from triort._core.links import BlobStore, Link
from triort._model.ids import JobId
from triort._model.limits import FORGET_BYTES


@attrs.define
class Forgetting:
    """The jobs of one node that have ended; ``due`` is when the links are to be told of them at last."""

    due: float = math.inf

    def note(self, job: JobId, blobs: BlobStore, links: Iterable[Link], due: float) -> None:
        """A job has ended; those below are to be told at ``due``."""
        is_large = sum(map(len, blobs.pop(job, {}).values())) > FORGET_BYTES
        for link in links:
            link.forget(job)
            if is_large and link.out_forgets:
                link.touch()
        self.due = min(self.due, due)

    def tell(self, links: Iterable[Link], now: float) -> None:
        """Tell the links, if it is time."""
        if now >= self.due:
            self.due = math.inf
            for link in links:
                if link.out_forgets:
                    link.touch()
