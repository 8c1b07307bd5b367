"""What the tasks of a plan do on real workers, step by step.

They use triort as users do. What they tell to the trace is what a checker could not see otherwise: when their function
starts and ends, what they submit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import trio

from triort._model.errors import TaskInterrupted
from triort._node.futures import Future
from triort._node.runtime import Runtime, get_runtime, open_nursery
from triort._node.worker import Worker
from triort._wire.payload import Ref
from triort.testing._events import Kind, Violation
from triort.testing._plan.plan import CAUGHT, Batch, Compute, Job, Listen, Say, Task
from triort.testing._plan.tries import Tries, TryEnd
from triort.testing._tier2.cluster import Cluster
from triort.testing._tier2.process import SimProcess

LISTEN_S = 2e-4
SHARED = ("a value that many tasks share", 17)


class ScriptError(Exception):
    """What a task raises whose script says so."""


@attrs.define
class Scripts:
    """The scripts of the run that is going on, by task name, and how often each was tried."""

    cluster: Cluster
    function_of: Callable[[Sequence[Task]], Callable[..., Any]]
    """The function that tasks are submitted by."""
    tasks: dict[str, Task] = attrs.Factory(dict)
    tries: Tries = attrs.Factory(Tries)

    def learn(self, job: Job) -> None:
        """Enter all tasks of a job."""
        todo = list(job.items)
        while todo:
            task = todo.pop()
            self.tasks[task.name] = task
            todo += [child for step in task.steps if isinstance(step, Batch) for child in step.children]


class Attempt:
    """One attempt of one task: its steps in order. A context that tells of its start and end."""

    def __init__(self, scripts: Scripts, name: str, shared: Any) -> None:
        worker = Worker.current
        assert worker is not None
        assert isinstance(worker.process, SimProcess)
        self.scripts = scripts
        self.cluster = scripts.cluster
        self.task = scripts.tasks[name]
        self.process = worker.process
        self.address = worker.current_task().attempt.address
        self.runtime = get_runtime()
        self.heard: list[Any] = []
        self._end = scripts.tries.begin(self.task)
        if shared is not None and shared != SHARED:
            self.fail(f"{name} was given {shared!r} as the shared value")

    def __enter__(self) -> Attempt:
        self.process.started[self.address] = self.task.name
        self.cluster.tell(Kind.START, self.process.name, self.task.name, number=self.address)
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, traceback: object) -> None:
        if self.process.started.pop(self.address, None) is not None:
            how = "value" if kind is None else "cancelled" if kind in (trio.Cancelled, TaskInterrupted) else "error"
            self.cluster.tell(Kind.END, self.process.name, self.task.name, number=self.address, detail=how)
            self.cluster.at(self.cluster.now, self.cluster.on_outcome, self.task.name)

    def fail(self, text: str) -> None:
        """What this task has seen must not be."""
        self.cluster.violate(Violation("what a task sees", text, self.cluster.now))

    # -- sync ----------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """All steps, then how it ends."""
        total = 1
        for step in self.task.steps:
            match step:
                case Compute():
                    self.compute(step.seconds)
                case Listen():
                    while not self.has_heard(step.messages):
                        self.compute(LISTEN_S)
                case Say():
                    self.say(step.lines)
                case Batch():
                    total += self.run_batch(step)
        self.end()
        return total

    def compute(self, seconds: float) -> None:
        until = self.cluster.now + seconds * self.process.slowness
        try:
            self.process.hold(seconds)
        except TaskInterrupted:
            if not self.task.stubborn:
                raise
            while self.cluster.now < until:
                try:
                    self.process.hold_until(until)
                except TaskInterrupted:
                    continue

    def run_batch(self, batch: Batch) -> int:
        try:
            futures = self.submit(batch)
            if batch.cancel_after_s is not None:
                self.compute(batch.cancel_after_s)
                self.cancel(futures)
            if not batch.wait:
                return 0
            return _sum([future.result() for future in futures])
        except Exception:
            if not batch.catch:
                raise
            return CAUGHT

    # -- async ---------------------------------------------------------------------------------------------------

    async def run_async(self) -> int:
        """All steps, then how it ends."""
        total = 1
        for step in self.task.steps:
            match step:
                case Compute():
                    await self.compute_async(step.seconds)
                case Listen():
                    while not self.has_heard(step.messages):
                        await self.compute_async(LISTEN_S)
                case Say():
                    self.say(step.lines)
                case Batch():
                    total += await self.run_batch_async(step)
        self.end()
        return total

    async def compute_async(self, seconds: float) -> None:
        with trio.CancelScope(shield=self.task.stubborn):
            await trio.sleep(seconds * self.process.slowness)

    async def run_batch_async(self, batch: Batch) -> int:
        try:
            if batch.how == "nursery" and batch.wait and batch.cancel_after_s is None and not batch.talk:
                return await self.run_nursery(batch)
            futures = self.submit(batch)
            if batch.cancel_after_s is not None:
                await self.compute_async(batch.cancel_after_s)
                self.cancel(futures)
            if not batch.wait:
                return 0
            return await self.collect(batch, futures)
        except Exception:
            if not batch.catch:
                raise
            return CAUGHT

    async def collect(self, batch: Batch, futures: list[Future]) -> int:
        if batch.how == "next" and batch.children:
            found: dict[int, int] = {}
            while len(found) < len(batch.children):
                self.enter_all(found, await self.runtime.next(futures[0]))
            return sum(found.values())
        if batch.how == "as_completed":
            found = {}
            async for index, value in self.runtime.as_completed(futures[0]):
                self.enter_all(found, [(index, value)])
            return sum(found.values())
        return _sum([await future for future in futures])

    def enter_all(self, found: dict[int, int], batch: list[tuple[int, int]]) -> None:
        if not batch:
            self.fail(f"{self.task.name} got an empty batch of results")
        for index, value in batch:
            if index in found:
                self.fail(f"{self.task.name} got result {index} twice")
            found[index] = value

    async def run_nursery(self, batch: Batch) -> int:
        handles = []
        async with open_nursery() as nursery:
            runtime = nursery._runtime = self.options(batch)
            for child in batch.children:
                handle = nursery.start_soon(self.scripts.function_of([child]), child.name, *self.shared(runtime, batch))
                handles.append(handle)
                self.name_children(self.newest_future(), [child])
        return _sum([handle.value for handle in handles])

    # -- both ----------------------------------------------------------------------------------------------------

    def options(self, batch: Batch) -> Runtime:
        return self.runtime.options(
            priority=batch.priority,
            retries=batch.retries,
            timeout_s=batch.timeout_s,
            crash_limit=batch.crash_limit,
            at_most_once=batch.at_most_once,
        )

    def shared(self, runtime: Runtime, batch: Batch) -> tuple[Ref, ...]:
        return (runtime.put(SHARED),) if batch.shared else ()

    def submit(self, batch: Batch) -> list[Future]:
        runtime = self.options(batch)
        shared = self.shared(runtime, batch)
        names = [child.name for child in batch.children]
        if batch.how in ("submit", "nursery"):
            futures = [
                runtime.submit(self.scripts.function_of([child]), child.name, *shared, task_name=child.name)
                for child in batch.children
            ]
            for future, child in zip(futures, batch.children, strict=True):
                self.name_children(future, [child])
        else:
            columns: list[list[Any]] = [names, *([ref] * len(names) for ref in shared)]
            futures = [runtime.map(self.scripts.function_of(batch.children), *columns)]
            self.name_children(futures[0], batch.children)
        for number in range(batch.talk):
            for future in futures:
                runtime.communicate(future, number)
        return futures

    def cancel(self, futures: list[Future]) -> None:
        for future in futures:
            self.runtime.cancel(future)

    def name_children(self, future: Future, tasks: Sequence[Task]) -> None:
        for index, child in future._open.items():
            name = tasks[index].name
            self.process.children[child] = name
            self.cluster.tell(Kind.SUBMIT, self.process.name, name, self.task.name, child.attempt.address)

    def newest_future(self) -> Future:
        children = self.process.worker.core.children if self.process.worker is not None else {}
        future: Future = children[next(reversed(children))].future
        return future

    def has_heard(self, messages: int) -> bool:
        self.heard += self.runtime.get_messages()
        if self.heard != list(range(len(self.heard))):
            self.fail(f"{self.task.name} heard {self.heard}")
        return len(self.heard) >= messages

    def say(self, lines: int) -> None:
        for number in range(lines):
            sys.stdout.write(f"{self.task.name} says {number}\n")

    def end(self) -> None:
        """Raise, kill the worker, or return."""
        self.process.check_alive()
        match self._end:
            case TryEnd.KILL:
                self.process.crash()
            case TryEnd.RAISE:
                raise ScriptError(self.task.name)
            case TryEnd.RETURN:
                pass


def _sum(values: list[Any]) -> int:
    """Of single values and of lists of them."""
    return sum(sum(value) if isinstance(value, list) else value for value in values)
