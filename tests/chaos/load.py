"""The load: jobs with values that are known beforehand, several at once, each with a bound on its time."""

from __future__ import annotations

import time

import attrs
import trio

import triort
from tests.chaos import plan, tasks

JOB_S_MAX = 120.0


@attrs.define(eq=False)
class Load:
    """Jobs without end, ``width`` at once, until `stop`; what they gave is compared with the serial run."""

    seed: int
    width: int = 4
    depth: int = plan.DEPTH
    spin_us: int = 200
    rate_max: float | None = None
    """Tasks a second; None for as many as there can be."""
    job_s_max: float = JOB_S_MAX
    started: int = 0
    done: int = 0
    num_tasks: int = 0
    """Of the jobs that are done, as a run without faults has them."""
    wrong: list[str] = attrs.Factory(list)
    hangs: list[str] = attrs.Factory(list)
    second_outcomes: list[str] = attrs.Factory(list)
    durations_s: list[float] = attrs.Factory(list)
    refused: int = 0
    """Jobs that were lost with their server, where that is expected."""
    may_lose_jobs: bool = False
    _stopping: bool = False
    _start_s: float = attrs.Factory(time.monotonic)

    def stop(self) -> None:
        """Start no more jobs."""
        self._stopping = True

    async def run(self, client: triort.Client) -> None:
        """Run jobs until `stop`, and wait for the last ones."""
        async with trio.open_nursery() as nursery:
            for _ in range(self.width):
                nursery.start_soon(self._run_jobs, client)

    async def _run_jobs(self, client: triort.Client) -> None:
        while not self._stopping:
            await self._keep_rate()
            number = self.started
            self.started += 1
            await self.run_job(client, number)

    async def _keep_rate(self) -> None:
        if self.rate_max is not None:
            due_s = self._start_s + self.num_tasks / self.rate_max
            await trio.sleep(max(0.0, due_s - time.monotonic()))

    async def run_job(self, client: triort.Client, number: int) -> None:
        """Run one job: every third one is a map, the others are a single task."""
        keys = [plan.job_key(self.seed, number)]
        if number % 3 == 0:
            keys = [plan.mix(keys[0], 100 + index) for index in range(2)]
        start_s = time.monotonic()
        with trio.move_on_after(self.job_s_max) as scope:
            try:
                values = await self._values(client.options(crash_limit=tasks.CRASH_LIMIT), keys, number)
            except triort.ConnectionLost as exc:
                if self.may_lose_jobs:
                    self.refused += 1
                    await trio.sleep(0.1)
                else:
                    self.wrong.append(f"job {number}: {exc!r}")
                return
            except Exception as exc:
                self.wrong.append(f"job {number}: {exc!r}")
                return
        if scope.cancelled_caught:
            self.hangs.append(f"job {number} has no value after {self.job_s_max:g} s")
            return
        self.durations_s.append(time.monotonic() - start_s)
        expected = [plan.serial(key, self.depth) for key in keys]
        if values != expected:
            self.wrong.append(f"job {number}: {values} instead of {expected}")
        self.done += 1
        self.num_tasks += sum(plan.count_tasks(key, self.depth) for key in keys)

    async def _values(self, client: triort.Client, keys: list[int], number: int) -> list[int]:
        if len(keys) == 1:
            job = await client.submit(tasks.function_for(keys[0], self.depth), keys[0], 0, self.depth, self.spin_us)
            value = await job.result()
            if (num_done := (await job.status()).num_done) != 1:
                self.second_outcomes.append(f"job {number}: {num_done} outcomes")
            return [value]
        found: dict[int, int] = {}
        items = client.as_completed(run_any, keys, [self.depth] * len(keys), [self.spin_us] * len(keys))
        async for index, value in items:
            if index in found:
                self.second_outcomes.append(f"job {number}: a second outcome for item {index}")
            found[index] = value
        return [found[index] for index in range(len(keys))]


async def run_any(key: int, depth: int, spin_us: int) -> int:
    """A root task that leaves all to one child, whichever function that has: the items of a map share one."""
    rt = triort.get_runtime().options(crash_limit=tasks.CRASH_LIMIT)
    value: int = await rt.submit(tasks.function_for(key, depth), key, 0, depth, spin_us)
    return value
