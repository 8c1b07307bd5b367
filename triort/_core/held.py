"""How much of what clients have submitted a server holds, and how much more it takes.

A client may hold as much as is still free. So one that is alone gets half of all, and each of several an equal part;
and however many there are, and whatever they submit, there is something left for the next one. What would be too much
is refused: a new job as a whole; of one that is there, the items fail, and with them the job.
"""

from __future__ import annotations

import math

import attrs
import msgspec

from triort._core.job import Job
from triort._model.limits import JOB_ITEMS_MAX
from triort._model.outcomes import REJECTED, Failure


@attrs.define(eq=False)
class Held:
    """What all clients hold, in bytes of payloads that may have to be sent again."""

    limit: float = math.inf
    total: int = 0
    by_client: dict[object, int] = attrs.Factory(dict)

    def why_not(self, token: object, size: int) -> str:
        """Why so much more of this client is too much; empty if it is not."""
        holds = self.by_client.get(token, 0)
        if holds + size <= self.limit - self.total - size:
            return ""
        return (
            f"{_mib(size)} more are too much: the server holds {_mib(holds)} of this client's jobs, {_mib(self.total)} "
            f"of all clients', and a client may have as much as is free of {_mib(self.limit)}"
        )

    def why_not_items(self, job: Job, count: int, size: int) -> str:
        """Why these items cannot be added to a job; empty if they can."""
        if job.num_items + count > JOB_ITEMS_MAX:
            return f"a job has {JOB_ITEMS_MAX} items at most"
        return self.why_not(job.token, size)

    def take(self, token: object, size: int) -> None:
        """There is so much more."""
        if size:
            self.total += size
            self.by_client[token] = self.by_client.get(token, 0) + size

    def give(self, token: object, size: int) -> None:
        """There is so much less."""
        if size:
            self.total -= size
            self.by_client[token] -= size
            if not self.by_client[token]:
                del self.by_client[token]


def rejection(why: str) -> bytes:
    """The outcome of items that were not taken."""
    return msgspec.msgpack.encode(Failure(REJECTED, why, ""))


def _mib(size: float) -> str:
    return f"{size / (1 << 20):,.0f} MiB"
