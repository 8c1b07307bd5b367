"""The books of a server without its node, wired as `triort._node.server` wires them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from triort._core.jobs import Job, JobBooks
from triort._core.links import Send
from triort._core.node_core import NodeCore
from triort._model.ids import JobId
from triort._model.messages import SubmitJob

CLIENT = "client"


class ServerModel(NodeCore):
    """A `NodeCore` with `JobBooks`."""

    kind = "server"

    def __init__(self, choose: Callable[[str, int], int]) -> None:
        super().__init__(choose=choose)
        self.jobs = JobBooks(self.schedule_tasks, self.hops.cancel, lambda: self.now)
        self.hops.owner = self.jobs

    def submit_job(self, msg: SubmitJob, payload: Sequence[bytes]) -> JobId:
        digests = (msg.spec.function, *msg.spec.blobs)
        job_id = self.jobs.open_job(CLIENT, msg)
        if msg.blobs:
            self.hops.blobs[job_id] = dict(zip(digests, payload, strict=False))
        self.jobs.add_items(CLIENT, msg, payload[msg.blobs :])
        return job_id

    def flush(self) -> list[Send]:
        self.jobs.expire()
        to_clients, ended = self.jobs.flush()
        for job in ended:
            self.forget(job.id)
        return [*super().flush(), *to_clients]

    def open_jobs(self) -> list[Job]:
        return list(self.jobs.jobs.values())
