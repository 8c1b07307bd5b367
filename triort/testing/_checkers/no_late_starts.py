"""What nobody wants any more does not start: once its parent's function is over, a sibling has failed, or its job is
cancelled or without a client (with a journal it is waited for). A cancel on its way is given the time that it takes.
"""

from __future__ import annotations

import math

from triort.testing._checkers.books import HOLDS, crossing_s, may_part
from triort.testing._checkers.task_tree import Fences
from triort.testing._events import Event, Kind
from triort.testing._plan.names import is_client
from triort.testing._plan.plan import Batch, FaultKind, Job
from triort.testing._plan.walk import all_tasks, batches_of
from triort.testing._run import Checker, World

CANCELS_S = 0.02
CROSSINGS = 3


class NoLateStarts(Checker):
    """Holds for each start on a worker that is not cut off."""

    name = "no_late_starts"
    kinds = Fences.kinds | {Kind.SUBMIT, Kind.START, Kind.END, Kind.SETTLE, Kind.FAULT}

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        plan = world.plan
        self._is_off = any(may_part(fault) and fault.kind not in HOLDS for fault in plan.faults)
        self._may_return = any(
            fault.kind is FaultKind.CRASH_SERVER or (plan.journal and fault.kind is FaultKind.CORRUPT_FRAME)
            for fault in plan.faults
        )
        """Whether a client may come over another link to jobs that have gone on: what it wants is heard only then."""
        self._bound_s = CANCELS_S + CROSSINGS * crossing_s(plan)
        self._trouble_s = -1.0
        """Until then a fault holds something up, or has done so."""
        self._fences = Fences()
        self._siblings: dict[str, list[str]] = {}
        self._children: dict[str, list[str]] = {}
        self._jobs = {job.name: job for job in plan.jobs}
        for job in plan.jobs:
            self._enter(job)
        for task in all_tasks(plan):
            self._children[task.name] = [child.name for batch in batches_of(task) for child in batch.children]
            for batch in batches_of(task):
                self._enter(batch)
        self._unwanted: dict[str, tuple[float, str]] = {}
        """What nobody wants any more: since when, and why."""
        self._stopped: dict[str, tuple[float, str]] = {}
        """Jobs that nobody wants any more."""
        self._places: dict[str, str] = {}
        """Where each task was submitted last."""
        self._open: dict[str, set[str]] = {}
        """The jobs that each client has submitted over its link."""
        self._left: dict[str, set[str]] = {}
        """Those that it has submitted over links that it has ended, as the server will hear."""

    def _enter(self, group: Job | Batch) -> None:
        names = [task.name for task in (group.items if isinstance(group, Job) else group.children)]
        for name in names:
            self._siblings[name] = names

    def see(self, event: Event) -> None:
        """Note who is wanted, and look at starts."""
        match event.kind:
            case Kind.SUBMIT:
                self._unwanted.pop(event.what, None)
                self._places[event.what] = event.node
                if is_client(event.node):
                    self._open.setdefault(event.node, set()).add(event.peer)
            case Kind.START:
                self._check(event)
            case Kind.END if event.detail not in ("killed", "crashed"):
                self._drop(event, self._children.get(event.what, []), f"{event.what} is over")
            case Kind.SETTLE if not event.detail.startswith("value"):
                self._drop(event, self._siblings.get(event.what, []), f"{event.what} has failed")
            case Kind.FAULT:
                self._stop(event)
            case Kind.CLOSE | Kind.OPEN | Kind.DIED:
                self._fences.see(event)
                if event.kind is Kind.CLOSE and not self.world.plan.journal:
                    self._close(event)

    def _close(self, event: Event) -> None:
        """Of a client that has ended its link and opened another one, the server may hear the second first."""
        if is_client(event.node):
            self._left.setdefault(event.node, set()).update(self._open.pop(event.node, ()))
        elif is_client(event.peer):
            jobs = self._left.pop(event.peer, None)
            for job in self._open.pop(event.peer, ()) if jobs is None else jobs:
                self._stopped.setdefault(job, (event.time_s, "its client is gone"))

    def _drop(self, event: Event, names: list[str], why: str) -> None:
        for name in names:
            if self._places.get(name) == event.node:
                self._unwanted.setdefault(name, (event.time_s, why))

    def _stop(self, event: Event) -> None:
        if event.what in HOLDS:
            for_s = max(fault.for_s for fault in self.world.plan.faults if fault.kind == event.what)
            self._trouble_s = max(self._trouble_s, event.time_s + (for_s or math.inf))
        is_told = event.what == FaultKind.CANCEL_JOB and event.detail != "missed" and not self._may_return
        if is_told and event.node in self._jobs:
            self._stopped.setdefault(event.node, (event.time_s, "its job is cancelled"))

    def _check(self, event: Event) -> None:
        if self._is_off or self._fences.is_fenced(event.node):
            return
        for found in (self._unwanted.get(event.what), self._stopped.get(event.what.partition(".")[0])):
            if found is not None and event.time_s > max(found[0], self._trouble_s) + self._bound_s:
                text = f"{event.time_s - found[0]:.3f} s after {found[1]}"
                self.fail(f"{event.what} starts on {event.node}, {text}")
