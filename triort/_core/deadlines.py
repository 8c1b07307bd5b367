"""The deadlines of the jobs that are open, the nearest one first."""

from __future__ import annotations

import heapq
from collections.abc import Container, Sized
from typing import Protocol

from triort._model.ids import JobId

SPARE = 64


class _Jobs(Container[JobId], Sized, Protocol):
    """Those that are open."""


class Deadlines:
    """Those of jobs that have ended are left where they are, until they are too many."""

    def __init__(self, jobs: _Jobs) -> None:
        self._jobs = jobs
        self._heap: list[tuple[float, JobId]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, when: float, job: JobId) -> None:
        """The job is to end by then."""
        if len(self._heap) > 2 * len(self._jobs) + SPARE:
            self._heap = [each for each in self._heap if each[1] in self._jobs]
            heapq.heapify(self._heap)
        heapq.heappush(self._heap, (when, job))

    def next(self) -> list[float]:
        """The nearest one of a job that is open, if there is one."""
        while self._heap and self._heap[0][1] not in self._jobs:
            heapq.heappop(self._heap)
        return [self._heap[0][0]] if self._heap else []

    def pop_due(self, now: float) -> list[JobId]:
        """The open jobs whose time is over."""
        due = []
        while (times := self.next()) and times[0] <= now:
            due.append(heapq.heappop(self._heap)[1])
        return due
