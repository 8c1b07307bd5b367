"""Runs made by hand for the tests of the reports: a small cluster that runs tasks, loses a manager, breaks a rule."""

import heapq
import itertools
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import attrs
from hypothesis import strategies as st

from triort.testing._events import Event, Kind, Outcome, Violation
from triort.testing._plan.plan import Batch, Compute, Fault, FaultKind, Job, Plan, Task
from triort.testing._run import Run, Trace

HOPS_S = (2e-4, 7e-4)
GIVE_UP_S = 0.2
"""A task waits no longer for children whose outcomes were lost on their way."""


def make_task(name: str, draw: Random, num_children: int = 0) -> Task:
    steps: list[Any] = [Compute(round(draw.uniform(0.002, 0.009), 4))]
    if num_children:
        children = [make_task(f"{name}.1.{i}", draw) for i in range(num_children)]
        steps += [Batch(children, how="as_completed"), Compute(0.001)]
    return Task(name, steps, function=draw.choice("fgh"))


def make_plan(seed: int = 97, tree: tuple[int, int] = (2, 3), num_tasks: int = 10, cut_s: float = 0.0123) -> Plan:
    draw = Random(seed)
    items = [make_task(f"j0.{i}", draw, 2 if i % 4 == 1 else 0) for i in range(num_tasks)]
    faults = [Fault(cut_s, FaultKind.CUT, "m1"), Fault(0.002, FaultKind.SLOW_NODE, "m0.w1", for_s=0.02, factor=3)]
    return Plan(2, seed, list(tree), [Job("j0", items)], faults, ["local", "lan"])


class Hand:
    """Plays a plan roughly as a cluster would, and writes down what happens."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.draw = Random(plan.seed)
        self.events: list[Event] = []
        self.now = 0.0
        self.heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self.order = itertools.count()
        self.frames: dict[tuple[str, str], int] = {}
        self.arrivals: dict[tuple[str, str], float] = {}
        self.gone: set[str] = set()
        self.boss: dict[str, str] = {}
        self.todo: dict[str, tuple[Task, str]] = {}
        self.open_children: dict[str, int] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.addresses = itertools.count(1)
        self.running: dict[str, list[str]] = {}

    def tell(self, kind: Kind, node: str, what: str = "", peer: str = "", number: int = 0, detail: str = "") -> None:
        self.events.append(Event(round(self.now, 9), kind, node, what, peer, number, detail))

    def after(self, delay: float, fn: Callable[..., None], *args: Any) -> None:
        heapq.heappush(self.heap, (self.now + delay, next(self.order), fn, args))

    def send(self, node: str, peer: str, what: str, then: Callable[..., None] | None = None, *args: Any) -> None:
        number = self.frames[node, peer] = self.frames.get((node, peer), 0) + 1
        self.tell(Kind.SEND, node, what, peer, number)
        arrival = max(self.now + self.draw.uniform(*HOPS_S), self.arrivals.get((node, peer), 0.0))
        self.arrivals[node, peer] = arrival
        self.after(arrival - self.now, self.deliver, node, peer, what, number, then, args)

    def deliver(self, node: str, peer: str, what: str, number: int, then: Any, args: tuple[Any, ...]) -> None:
        if node not in self.gone and peer not in self.gone:
            self.tell(Kind.DELIVER, peer, what, node, number)
            if then is not None:
                then(*args)

    def birth(self, node: str, boss: str) -> None:
        self.boss[node] = boss
        self.running[node] = []
        self.tell(Kind.BORN, node, peer=boss)
        if boss:
            self.tell(Kind.OPEN, node, peer=boss)
            self.tell(Kind.OPEN, boss, peer=node)
            self.send(node, boss, "Started")

    def workers(self) -> list[str]:
        alive = [name for name in self.boss if ".w" in name and name not in self.gone]
        return sorted(alive, key=lambda name: (len(self.running[name]), name))

    def place(self, task: Task, parent: str) -> None:
        self.todo[task.name] = (task, parent)
        worker = self.workers()[0]
        self.running[worker].append(task.name)
        boss = self.boss[worker]
        self.send("s", boss, "Submit", self.send, boss, worker, "Submit", self.begin, worker, task)

    def begin(self, worker: str, task: Task) -> None:
        number = next(self.addresses)
        self.tell(Kind.START, worker, task.name, number=number)
        self.step(worker, task, 0, number)

    def step(self, worker: str, task: Task, i: int, number: int) -> None:
        if worker in self.gone:
            return
        if i == len(task.steps):
            how = "error" if self.draw.random() < 0.12 else "value"
            self.tell(Kind.END, worker, task.name, number=number, detail=how)
            self.finish(worker, task, how)
            return
        step = task.steps[i]
        if isinstance(step, Batch):
            self.open_children[task.name] = len(step.children)
            for child in step.children:
                self.tell(Kind.SUBMIT, worker, child.name, task.name)
            boss = self.boss[worker]
            self.send(worker, boss, "Submit", self.send, boss, "s", "Submit", self.spread, step, worker)
            self.wait(worker, task, i, number)
        elif isinstance(step, Compute):
            self.after(step.seconds, self.step, worker, task, i + 1, number)

    def spread(self, batch: Batch, worker: str) -> None:
        for child in batch.children:
            self.place(child, worker)

    def wait(self, worker: str, task: Task, i: int, number: int) -> None:
        if self.open_children[task.name] and self.now < GIVE_UP_S:
            self.after(2e-4, self.wait, worker, task, i, number)
        else:
            self.step(worker, task, i + 1, number)

    def finish(self, worker: str, task: Task, how: str) -> None:
        self.running[worker].remove(task.name)
        if task.name not in self.todo:  # the child of a task that was lost, and tried again with all its children
            return
        boss, parent = self.boss[worker], self.todo.pop(task.name)[1]
        home = "c0" if parent == "c0" else self.boss[parent]
        settle = (self.settle, parent, task, how)
        if home in ("c0", boss):
            last = ("s", "c0", "JobOutcomes", *settle) if home == "c0" else None
            up = (boss, "s", "Outcomes", self.send, *last) if last else (boss, parent, "Outcomes", *settle)
            self.send(worker, boss, "Outcomes", self.send, *up)
        else:
            down = (self.send, "s", home, "Outcomes", self.send, home, parent, "Outcomes", *settle)
            self.send(worker, boss, "Outcomes", self.send, boss, "s", "Outcomes", *down)

    def settle(self, parent: str, task: Task, how: str) -> None:
        outcome = self.outcomes[task.name] = Outcome(how, 1 if how == "value" else 0)
        self.tell(Kind.SETTLE, parent, task.name, detail=str(outcome))
        above = task.name.rsplit(".", 2)[0]
        if above in self.open_children:
            self.open_children[above] -= 1
        elif all(item.name in self.outcomes for item in self.plan.jobs[0].items):
            self.tell(Kind.JOB, "c0", "j0", detail="done")

    def cut(self, fault: Fault) -> None:
        target, boss = fault.target, self.boss[fault.target]
        self.tell(Kind.FAULT, target, fault.kind, detail=f"link to {boss}")
        self.gone.add(target)
        lost = []
        for worker in [name for name in self.boss if self.boss[name] == target]:
            self.gone.add(worker)
            lost += self.running[worker]
            self.tell(Kind.CLOSE, worker, peer=target, detail="reset")
            self.tell(Kind.DIED, worker, detail="boss lost")
        self.tell(Kind.CLOSE, target, peer=boss, detail="reset")
        self.tell(Kind.DIED, target, detail="boss lost")
        self.tell(Kind.CLOSE, boss, peer=target, detail="reset")
        self.tell(Kind.LOG, boss, detail=f"{target} is lost with {len(lost)} tasks")
        self.after(1e-4, self.again, [self.todo.pop(name) for name in lost if name in self.todo])

    def again(self, lost: list[tuple[Task, str]]) -> None:
        self.tell(Kind.MARK, "s", "requeued")
        for task, parent in lost:
            if parent not in self.gone:
                self.place(task, parent)

    def fault(self, fault: Fault) -> None:
        if fault.kind is FaultKind.CUT:
            self.cut(fault)
        else:
            self.tell(Kind.FAULT, fault.target, fault.kind, detail=f"factor {fault.factor:g} for {fault.for_s:g} s")

    def open_job(self, job: Job) -> None:
        for task in job.items:
            self.tell(Kind.SUBMIT, job.client, task.name, job.name)
            self.todo[task.name] = (task, job.client)
        self.send(job.client, "s", "SubmitJob", self.accept, job)

    def accept(self, job: Job) -> None:
        for task in job.items:
            self.place(task, job.client)

    def play(self) -> None:
        self.birth("s", "")
        for i in range(self.plan.tree[0]):
            self.birth(f"m{i}", "s")
            for j in range(self.plan.tree[1]):
                self.birth(f"m{i}.w{j + 1}", f"m{i}")
        self.birth("c0", "")
        for job in self.plan.jobs:
            self.after(0.002, self.open_job, job)
        for fault in self.plan.faults:
            self.after(fault.at_s, self.fault, fault)
        while self.heap:
            self.now, _, fn, args = heapq.heappop(self.heap)
            fn(*args)


def make_run(plan: Plan | None = None, *, violation: bool = True) -> Run:
    """The run of a plan, with a check that has failed at its end."""
    hand = Hand(plan or make_plan())
    hand.play()
    found = None
    if violation:
        task = min(hand.outcomes, default="j0.0")
        hand.tell(Kind.SETTLE, "c0", task, detail="value 1")
        found = Violation("one_outcome", f"task {task} has come to its parent c0 twice: value 1, value 1", hand.now)
    return run_of(hand.events, hand.plan, found, hand.outcomes)


def run_of(
    events: Sequence[Event],
    plan: Plan | None = None,
    violation: Violation | None = None,
    outcomes: dict[str, Outcome] | None = None,
) -> Run:
    """A run with just these events."""
    trace = Trace(keep_all=True)
    for event in events:
        trace.tell(event)
    return Run(
        plan=plan or make_plan(),
        tier=1,
        violation=violation,
        trace_hash=trace.digest,
        events=list(events),
        outcomes=outcomes or {},
        now_s=events[-1].time_s if events else 0.0,
        num_events=len(events),
        num_messages=sum(event.kind is Kind.SEND for event in events),
        marks=dict(trace.marks),
    )


def cut_off(run: Run, kept: int) -> Run:
    """The same run with its last events only."""
    return attrs.evolve(run, events=run.events[len(run.events) - kept :])


TEXTS = st.one_of(
    st.sampled_from(["", "s", "c0", "m0", "m0.w1", "m1.w12", "j0", "j0.2", "value 1", "Submit", "</script>", "日本語"]),
    st.text(max_size=12),
)


def any_events(size_max: int = 25) -> st.SearchStrategy[list[Event]]:
    """Events of all kinds about anything, at times that grow."""
    event = st.builds(Event, st.floats(-100, 100), st.sampled_from(Kind), TEXTS, TEXTS, TEXTS, st.integers(0, 3), TEXTS)
    return st.lists(event, max_size=size_max).map(lambda events: sorted(events, key=lambda event: event.time_s))
