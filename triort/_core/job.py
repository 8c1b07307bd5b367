"""One job, as its server sees it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs

from triort._core.attempts import Attempt, Result
from triort._core.crash_budget import CrashBudget
from triort._model.ids import Address, JobId
from triort._model.messages import TaskSpec

NOTHING: Mapping[int, int] = MappingProxyType({})


@attrs.define(eq=False)
class Job:
    """One job: its client, its open root tasks and what has ended since the last flush. There may be very many small
    ones: what most of them never need is made when it is needed."""

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
    held: list[Attempt] | None = None
    """Of these: what may not start before something is on disk."""
    num_items: int = 0
    blob_bytes: int = 0
    """Of its function, which is held until it ends."""
    complete: bool = False
    accepted: bool = False
    cancelled: bool = False
    timed_out: bool = False
    dropped: bool = False
    """The client is gone: nobody is told of outcomes."""
    released: bool = False
    """Nobody will ask for it once it has ended."""
    crashes: Mapping[int, int] = NOTHING
    """By item: how often it was to blame for the end of a worker."""
    budget: CrashBudget | None = None
    """What the job has spent of it; None: nothing."""
    retried: Mapping[int, int] = NOTHING
    """By item: how often it was run again because it had raised."""
    ended: list[tuple[int, Result]] | None = None
    """What clients have not been told."""
    outcomes: list[tuple[int, Result]] | None = None
    """What has ended before, of a job that others may attach to."""
    over_since: float = 0.0

    @property
    def verdict(self) -> bytes:
        """The `Crash` with which open items end, once the job has cost too many workers."""
        return b"" if self.budget is None else self.budget.verdict

    def take_held(self) -> list[Attempt]:
        """What was held, and is not any more."""
        held, self.held = self.held, None
        return held or []

    @property
    def keeps_outcomes(self) -> bool:
        """Whether clients may ask for what has ended before."""
        return self.detached or self.returnable
