"""One job, as its server sees it."""

from __future__ import annotations

import attrs

from triort._core.attempts import Attempt, Result
from triort._core.crash_budget import CrashBudget
from triort._model.ids import Address, JobId
from triort._model.messages import TaskSpec


@attrs.define(eq=False)
class Job:
    """One job: its client, its open root tasks and what has ended since the last flush."""

    id: JobId
    client: object
    request: int
    spec: TaskSpec
    deadline: float | None
    token: object = None
    """Of its client: the same when that comes over another link."""
    single: bool = False
    detached: bool = False
    """It does not end with its client."""
    returnable: bool = False
    """Its client may come back for it over another link: there is a journal."""
    watchers: dict[object, None] = attrs.Factory(dict)
    """The clients that are told of it."""
    requests: list[tuple[object, int]] = attrs.Factory(list)
    """By which requests, of which clients' tokens, it is known."""
    open: dict[Address, Attempt] = attrs.Factory(dict)
    held: list[Attempt] = attrs.Factory(list)
    """Of these: what may not start before something is on disk."""
    num_items: int = 0
    complete: bool = False
    accepted: bool = False
    cancelled: bool = False
    timed_out: bool = False
    dropped: bool = False
    """The client is gone: nobody is told of outcomes."""
    released: bool = False
    """Nobody will ask for it once it has ended."""
    crashes: dict[int, int] = attrs.Factory(dict)
    budget: CrashBudget = attrs.Factory(CrashBudget)
    retried: dict[int, int] = attrs.Factory(dict)
    ended: list[tuple[int, Result]] = attrs.Factory(list)
    outcomes: list[tuple[int, Result]] = attrs.Factory(list)
    """What has ended before, of a job that others may attach to."""
    over_since: float = 0.0

    @property
    def keeps_outcomes(self) -> bool:
        """Whether clients may ask for what has ended before."""
        return self.detached or self.returnable
