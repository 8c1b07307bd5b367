"""What a task of a plan does, step by step, over a worker's core: `triort._node.runtime` without the user's function.

A script is a generator. It yields what it waits for: `Hold` (so much of the CPU, or of the slot), `Hear` (so many
messages in all), or a `Future`. The worker throws `Stopped` into it where the product interrupts or cancels it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, NamedTuple

from triort._core.running import Child
from triort._model.ids import Digest, JobId
from triort._model.messages import Options, TaskSpec
from triort.testing._events import Kind
from triort.testing._plan.plan import CAUGHT, Batch, Compute, Job, Listen, Say, Task
from triort.testing._plan.tries import TryEnd
from triort.testing._tier1.futures import Future

if TYPE_CHECKING:
    from triort.testing._tier1.activities import Activity
    from triort.testing._tier1.workers import Worker


class Failed(Exception):
    """What a script raises."""


class Stopped(Exception):
    """The task is cancelled, or its time is over."""


class Hold(NamedTuple):
    """Hold the CPU, or an async task's slot, for so long."""

    seconds: float


class Hear(NamedTuple):
    """Wait until so many messages have come in all."""

    messages: int


Script = Generator[Hold | Hear | Future, None, int]


def digest_of(function: str) -> Digest:
    """The digest of a plan's function."""
    return Digest(function.encode())


def spec_of(job: Job) -> TaskSpec:
    """What the tasks of a job have in common."""
    function = job.items[0].function if job.items else "f"
    return TaskSpec(JobId(0), digest_of(function), function, 0, options_of(job))


def options_of(batch: Batch | Job) -> Options:
    """The options of the tasks of a batch or job."""
    return Options(
        timeout_s=batch.timeout_s,
        crash_limit=batch.crash_limit,
        at_most_once=batch.at_most_once,
        retries=batch.retries,
        priority=batch.priority,
    )


def run_script(worker: Worker, activity: Activity, task: Task) -> Script:
    """The whole task; returns its value."""
    total = 1
    for number, step in enumerate(task.steps):
        match step:
            case Compute():
                yield Hold(step.seconds)
            case Listen():
                yield Hear(step.messages)
            case Say():
                worker.say(activity, step.lines)
            case Batch():
                total += yield from _batch(worker, activity, task, number, step)
    if activity.end is TryEnd.KILL:
        worker.die("poison", by=activity)
    elif activity.end is TryEnd.RAISE:
        raise Failed
    return total


def _batch(worker: Worker, activity: Activity, task: Task, number: int, batch: Batch) -> Script:
    future = Future(worker, activity, batch)
    _submit(worker, activity, task, number, batch, future)
    worker.notice()
    for _ in range(batch.talk):
        for child in future.open.values():
            future.say(child)
        worker.notice()
    if batch.cancel_after_s is not None:
        yield Hold(batch.cancel_after_s)
        if future.open:
            future.mark_cancelled()
        worker.notice()
    if not batch.wait:
        return 0
    while future.open and not (future.cancelled and task.is_async):
        yield future
    if future.failed or future.cancelled:
        if batch.catch:
            return CAUGHT
        raise Failed
    return future.total


def _submit(worker: Worker, activity: Activity, task: Task, number: int, batch: Batch, future: Future) -> None:
    """Submit the children of a batch."""
    core, running = worker.core, activity.running
    above = running.attempt.spec
    options = options_of(batch)
    blobs = core.hops.blobs.setdefault(above.job, {})
    shared: tuple[Digest, ...] = ()
    if batch.shared:
        shared = (digest_of(f"value {task.name}.{number}"),)
        blobs[shared[0]] = b"value"
    specs: dict[str, TaskSpec] = {}
    deadline = None if batch.timeout_s is None else worker.clock.now + batch.timeout_s
    for index, child in enumerate(batch.children):
        spec = specs.get(child.function)
        if spec is None:
            function = digest_of(child.function)
            blobs.setdefault(function, b"code")
            spec = specs[child.function] = TaskSpec(
                above.job, function, child.function, above.depth + 1, options, shared
            )
        entry: Child = core.submit(running, spec, child.name.encode(), future, index, deadline)
        future.open[index] = entry
        worker.tell(Kind.SUBMIT, child.name, task.name, entry.attempt.address)
