"""Jobs that have ended and are remembered, so that clients may still attach to them; the oldest go first.

How many there are, how long and how large is bounded. One job stays however large it is: it must not vanish at the
very moment of its end.
"""

from __future__ import annotations

from triort._core.job import Job
from triort._model.ids import JobId
from triort._model.limits import DETACHED_BYTES_MAX, DETACHED_JOBS_MAX, DETACHED_KEEP_S


class KeptJobs:
    """In the order in which they have ended."""

    def __init__(self) -> None:
        self.jobs: dict[JobId, Job] = {}
        self._bytes = 0

    def add(self, job: Job) -> list[Job]:
        """Keep the job, which has just ended; returns those that have to make room for it."""
        self.jobs[job.id] = job
        self._bytes += _weigh(job)
        gone = []
        while len(self.jobs) > 1 and (len(self.jobs) > DETACHED_JOBS_MAX or self._bytes > DETACHED_BYTES_MAX):
            gone.append(self._pop_oldest())
        return gone

    def pop(self, job_id: JobId) -> bool:
        """Keep the job no longer; false if it is not kept."""
        job = self.jobs.pop(job_id, None)
        if job is None:
            return False
        self._bytes -= _weigh(job)
        return True

    def deadlines(self) -> list[float]:
        """When the first one has been kept long enough, if there is one."""
        for job in self.jobs.values():
            return [job.over_since + DETACHED_KEEP_S]
        return []

    def pop_expired(self, now: float) -> list[Job]:
        """Those that have been kept long enough."""
        gone = []
        while (times := self.deadlines()) and times[0] <= now:
            gone.append(self._pop_oldest())
        return gone

    def _pop_oldest(self) -> Job:
        job_id = next(iter(self.jobs))
        job = self.jobs[job_id]
        self.pop(job_id)
        return job


def _weigh(job: Job) -> int:
    return sum(len(result.payload) for _, result in job.outcomes or ())
