"""The clients of a plan: each connects, submits its jobs when it is time, and tells how they end."""

from __future__ import annotations

from typing import Any

import trio

from triort._client.client import Client
from triort._client.jobs import Job as ClientJob
from triort._model.errors import ConnectionLost, StartupError, TaskCancelled, TaskCrashed, TaskTimeout
from triort._model.messages import JobOutcomes, Message, Parts
from triort.testing._events import Kind, Violation
from triort.testing._plan.plan import Job
from triort.testing._tier2.cluster import Cluster
from triort.testing._tier2.functions import function_of

_HOW = {TaskCancelled: "cancelled", TaskTimeout: "timeout", TaskCrashed: "crashed", ConnectionLost: "lost"}


class SimClient:
    """One client of the plan, with the jobs that are its own."""

    def __init__(self, cluster: Cluster, name: str, jobs: list[Job]) -> None:
        self.cluster = cluster
        self.name = name
        self.jobs = jobs
        self.open: dict[str, Job] = {}
        self.is_dead = False
        self._scope = trio.CancelScope()
        self._scopes: dict[str, trio.CancelScope] = {}
        self._handles: dict[str, ClientJob] = {}
        self._plan_jobs: dict[ClientJob, Job] = {}
        self._ends: dict[str, tuple[int, bytes]] = {}

    async def run(self) -> None:
        """From its connection to the end of its last job, or of itself."""
        try:
            with self._scope:
                async with self.cluster.open_client(self.name) as client, trio.open_nursery() as nursery:
                    self._observe(client)
                    for job in self.jobs:
                        nursery.start_soon(self._run_job, client, job)
        except StartupError as exc:
            for job in self.jobs:
                self.cluster.tell(Kind.JOB, self.name, job.name, detail=f"lost: {exc}")

    def cancel(self, name: str) -> bool:
        """Cancel a job, the way its kind is cancelled; false if it is not open."""
        if name not in self.open or self.is_dead:
            return False
        handle = self._handles.get(name)
        if handle is not None:
            self.cluster.start_soon(handle.cancel)
        else:
            self._scopes[name].cancel()
        return True

    def die(self) -> bool:
        """The process of the client is gone; false if it was already."""
        wire = self.cluster.wires.get(self.name)
        if self.is_dead or wire is None:
            return False
        self.is_dead = True
        self.cluster.tell(Kind.DIED, self.name, detail="signal 9")
        wire.die(self.name)
        self._lose()
        self._scope.cancel()
        return True

    def _lose(self) -> None:
        """Nothing will come any more, though its tasks wait for that."""
        for job in self._plan_jobs:
            job._lose("this client is dead")

    async def _run_job(self, client: Client, job: Job) -> None:
        await trio.sleep_until(job.at_s)
        client = client.options(
            priority=job.priority,
            retries=job.retries,
            timeout_s=job.timeout_s,
            crash_limit=job.crash_limit,
            at_most_once=job.at_most_once,
        )
        self._observe_start(client, job)
        self.open[job.name] = job
        how = "value"
        with trio.CancelScope() as scope:
            self._scopes[job.name] = scope
            try:
                await self._await_job(client, job)
            except Exception as exc:
                how = _HOW.get(type(exc), "error")
        if scope.cancelled_caught:
            how = "cancelled"
        del self.open[job.name]
        if not self.is_dead:
            self.cluster.tell(Kind.JOB, self.name, job.name, detail=how)

    async def _await_job(self, client: Client, job: Job) -> None:
        function, names = function_of(job.items), [item.name for item in job.items]
        if len(names) == 1:
            handle = await client.submit(function, names[0])
            self._handles[job.name] = handle
            await handle.result()
        else:
            await client.map(function, names)

    def _settle(self, name: str, kind: int, part: bytes) -> None:
        """An item has ended; who has come back to a server hears that again, and the same."""
        before = self._ends.get(name)
        if before is None:
            self._ends[name] = kind, part
            self.cluster.tell_settled(self.name, name, kind, part)
        elif before != (kind, part):
            text = f"{name} has ended as {before[0]} at its client, and then as {kind}"
            self.cluster.violate(Violation("once_per_item", text, self.cluster.now))

    def _observe_start(self, client: Client, job: Job) -> None:
        start = client._start

        def observed(fn: Any, calls: Any, kwargs: Any, **options: Any) -> ClientJob:
            client_job = start(fn, calls, kwargs, **options)
            self._plan_jobs[client_job] = job
            for item in job.items:
                self.cluster.tell(Kind.SUBMIT, self.name, item.name, job.name)
            return client_job

        client._start = observed  # type: ignore[method-assign]

    def _observe(self, client: Client) -> None:
        session = client._session
        handle = session._handle

        def observed(message: Message, parts: Parts) -> None:
            if isinstance(message, JobOutcomes) and not self.is_dead:
                for client_job in session.jobs.get(message.job, ()):
                    job = self._plan_jobs[client_job]
                    for index, kind, part in zip(message.indices, message.kinds, parts, strict=True):
                        self._settle(job.items[index].name, kind, part)
            handle(message, parts)

        session._handle = observed  # type: ignore[method-assign]
