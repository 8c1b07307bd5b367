"""What the benchmark of placement looks at while a simulated cluster runs: times, messages, the size of the books."""

from __future__ import annotations

import sys
import types
from collections import Counter
from collections.abc import Iterator
from typing import Any

import attrs

from triort._core.attempts import Attempt
from triort.testing._events import Event, Kind
from triort.testing._run import Checker
from triort.testing._tier1.cluster import Cluster

AT_S = 0.1
"""When the job is submitted: the cluster is up and quiet by then."""
OUTSIDE = "triort.testing"
"""Whose objects are no part of the books: what tier 1 puts in the place of connections, tasks and dice."""
SHARED = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType)
PLAIN = (int, float, str, bytes, bool, type(None))


class Times(Checker):
    """When each worker has begun and ended, and the job."""

    name = "times"
    kinds = frozenset({Kind.START, Kind.JOB})

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds = seconds
        self.first: dict[str, float] = {}
        self.last: dict[str, float] = {}
        self.job_s = 0.0

    def see(self, event: Event) -> None:
        """All computing of a task comes right after its start."""
        time_s = event.time_s - AT_S
        if event.kind is Kind.JOB:
            self.job_s = time_s
            return
        self.first.setdefault(event.node, time_s)
        ends_s = time_s + self.seconds[event.what]
        self.last[event.node] = max(self.last.get(event.node, 0.0), ends_s)

    def idle_shares(self, num_workers: int) -> tuple[float, float, float]:
        """What part of the makespan workers are idle before their first task, between tasks, and after the last."""
        span_s = self.job_s
        unused_s = (num_workers - len(self.first)) * span_s
        before = (sum(self.first.values()) + unused_s) / num_workers / span_s
        after = sum(span_s - last for last in self.last.values()) / num_workers / span_s
        return before, 1.0 - before - after - sum(self.seconds.values()) / num_workers / span_s, after


class Messages(Checker):
    """How many messages went over the links of each level, clients' left out. Beats are not counted."""

    name = "messages"

    def at_rest(self) -> None:
        """Add up what all links have carried."""
        assert isinstance(self.world, Cluster)
        self.by_level: Counter[int] = Counter()
        for pipe in self.world.wires.pipes:
            if not pipe.is_client:
                self.by_level[pipe.path.name.removeprefix("s.").count(".") + 1] += pipe.messages


class Books(Checker):
    """The size of all cores' books when half of the tasks have started, beyond what they take without a task.

    Each core is walked by itself, from the core down: all objects that it leads to, each once, by `sys.getsizeof`. So
    what two nodes of the simulation share counts in both, as if each were a process. A task of a node is an attempt in
    its tables; one that passes on its way up and on its way down is two.
    """

    name = "books"
    kinds = frozenset({Kind.START})

    def __init__(self, num_tasks: int) -> None:
        self._due = num_tasks // 2
        self._empty: dict[str, int] = {}
        self.num_bytes: Counter[str] = Counter()
        """Beyond the empty books, by kind of node."""
        self.num_tasks: Counter[str] = Counter()

    def see(self, event: Event) -> None:
        """Another one has started."""
        self._due -= 1

    def look(self) -> None:
        """Weigh the books: at first, and when it is time."""
        if not self._empty:
            for name, core in self._cores():
                self._empty[name], num_tasks = weigh(core)
                assert not num_tasks
        elif self._due <= 0 and not self.num_tasks:
            for name, core in self._cores():
                num_bytes, num_tasks = weigh(core)
                kind = "worker" if name in self.world.workers else core.kind
                self.num_bytes[kind] += num_bytes - self._empty[name]
                self.num_tasks[kind] += num_tasks

    def _cores(self) -> Iterator[tuple[str, Any]]:
        yield from self.world.nodes.items()
        yield from self.world.workers.items()

    @property
    def bytes_per_task(self) -> dict[str, float]:
        """Bytes for each task of each node, by kind of node, and of all."""
        figures = {kind: self.num_bytes[kind] / count for kind, count in self.num_tasks.items()}
        return figures | {"all": self.num_bytes.total() / self.num_tasks.total()}


def weigh(core: object) -> tuple[int, int]:
    """The bytes that an object leads to, and how many attempts are among them."""
    num_bytes = num_attempts = 0
    todo, seen = [core], {id(core)}
    while todo:
        each = todo.pop()
        num_bytes += sys.getsizeof(each)
        num_attempts += type(each) is Attempt
        if not isinstance(each, PLAIN):
            for part in _parts(each):
                if id(part) not in seen and not _is_outside(part):
                    seen.add(id(part))
                    todo.append(part)
    return num_bytes, num_attempts


def _is_outside(part: object) -> bool:
    return isinstance(part, SHARED) or type(part).__module__.startswith(OUTSIDE)


def _parts(whole: Any) -> Iterator[object]:
    if isinstance(whole, dict):
        yield from whole.keys()
        yield from whole.values()
    elif isinstance(whole, (list, tuple, set, frozenset)) or type(whole).__name__ == "deque":
        yield from whole
    else:
        yield from vars(whole).values() if hasattr(whole, "__dict__") else ()
        for name in _slots(type(whole)):
            if hasattr(whole, name):
                yield getattr(whole, name)


def _slots(kind: type) -> Iterator[str]:
    if hasattr(kind, "__struct_fields__"):
        yield from kind.__struct_fields__
        return
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        yield from (slot for slot in ((slots,) if isinstance(slots, str) else slots) if slot != "__weakref__")


@attrs.frozen
class Figures:
    """One row of the table; ``load`` is the name of one of the loads."""

    num_workers: int
    levels: int
    load: str
    tree: list[int]
    num_tasks: int
    bound_s: float
    path_share: float
    """The longest path, as a part of the bound."""
    makespan_s: float
    ratio: float
    """The makespan by its bound."""
    list_ratio: float
    """The same for a list schedule without messages."""
    busy_s: float
    """When 99 of 100 workers had begun their first task."""
    idle_before: float
    idle_between: float
    idle_after: float
    messages_per_task: float
    messages_per_task_and_hop: list[float]
    """From the server's links down to the workers'."""
    bytes_per_task: dict[str, float]
    run_s: float
    """How long the simulation took, in real time."""
