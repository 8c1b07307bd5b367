"""Small plans by hand for the tests of tier 1, and a run of one with all checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from triort.testing._events import Event, Kind
from triort.testing._plan.check import check_plan
from triort.testing._plan.plan import Batch, Compute, Fault, FaultKind, Job, Listen, Plan, Say, Task
from triort.testing._run import Run
from triort.testing._tier1.run import run_tier1

Step = Compute | Listen | Say | Batch

FORMS = {"async": True, "sync": False}


def leaves(above: str, number: int, seconds: float = 1e-3, *, is_async: bool = True, **more: Any) -> list[Task]:
    """Tasks that only compute."""
    return [Task(f"{above}.{i}", [Compute(seconds)], is_async, **more) for i in range(number)]


def parent(name: str, *steps: Step, is_async: bool = True, **more: Any) -> Task:
    """A task with these steps, a little computing before and behind."""
    return Task(name, [Compute(1e-3), *steps, Compute(1e-3)], is_async, **more)


def plan(
    items: Sequence[Task], tree: Sequence[int] = (2, 2), *, faults: Sequence[Fault] = (), seed: int = 1, **job: Any
) -> Plan:
    """One job, ``j0``."""
    return of_jobs([Job("j0", list(items), **job)], tree, faults=faults, seed=seed)


def of_jobs(
    jobs: Sequence[Job], tree: Sequence[int] = (2, 2), *, faults: Sequence[Fault] = (), seed: int = 1,
    latency: str = "lan", heal_s: float = 60.0,
) -> Plan:  # fmt: skip
    """Several jobs."""
    made = Plan(2, seed, list(tree), list(jobs), list(faults), [latency], heal_s=heal_s)
    check_plan(made)
    return made


def at(at_s: float, kind: FaultKind, target: str, **more: Any) -> Fault:
    """A fault."""
    return Fault(at_s, kind, target, **more)


def ran(made: Plan) -> Run:
    """A run in which no check fails and every fault hits."""
    run = run_tier1(made, keep_all=True)
    assert run.violation is None, str(run.violation)
    return run


def events(run: Run, *kinds: Kind, what: str = "", node: str = "") -> list[Event]:
    """The events of these kinds, of one subject or node if given."""
    return [
        event for event in run.events
        if event.kind in kinds and (not what or event.what == what) and (not node or event.node == node)
    ]  # fmt: skip


def ends_of(run: Run) -> dict[str, str]:
    """How each job has ended at its client."""
    return {event.what: event.detail for event in events(run, Kind.JOB)}


def outcomes_of(run: Run) -> dict[str, str]:
    """How each task has ended at its parent."""
    return {name: str(outcome) for name, outcome in run.outcomes.items()}
