"""What both tiers share: the trace that a run tells its events to, what checkers see, and what a run leaves behind."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from triort._core.node_core import NodeCore
from triort._core.worker_core import WorkerCore
from triort.testing._events import Event, Kind, Outcome, Violation
from triort.testing._plan.plan import Plan

LAST_EVENTS = 400


class World(Protocol):
    """A cluster as checkers see it, in either tier: the living nodes, by name, and their books."""

    @property
    def plan(self) -> Plan:
        """The plan of this run."""

    @property
    def now(self) -> float:
        """Virtual time, in seconds."""

    @property
    def nodes(self) -> Mapping[str, NodeCore]:
        """The living server and managers."""

    @property
    def workers(self) -> Mapping[str, WorkerCore]:
        """The living workers."""

    def leftovers(self) -> list[str]:
        """What this tier itself still holds once all is at rest: timers, trio tasks, frames; must be nothing."""


class Checker:
    """One invariant. Subclasses set ``name`` and ``kinds``, and raise `Violation` by `fail`."""

    name = ""
    kinds: frozenset[Kind] = frozenset()
    """The events that `see` wants."""
    tiers: tuple[int, ...] = (1, 2)
    """Where it holds."""

    def begin(self, world: World) -> None:
        """The run starts."""
        self.world = world

    def see(self, event: Event) -> None:
        """An event has happened."""

    def look(self) -> None:
        """Called now and then while the run goes on (every few milliseconds of virtual time)."""

    def at_rest(self) -> None:
        """All jobs have ended and nothing is on its way any more."""

    def fail(self, text: str) -> None:
        """Raise `Violation`."""
        raise Violation(self.name, text, self.world.now)


class Trace:
    """Takes the events of one run, in order: hashes them, keeps the last ones (or all), and shows them to checkers."""

    def __init__(self, checkers: Sequence[Checker] = (), *, keep_all: bool = False, frames: bool = True) -> None:
        self.checkers = list(checkers)
        self.events: deque[Event] | list[Event] = [] if keep_all else deque(maxlen=LAST_EVENTS)
        self.frames = frames
        """False: SEND and DELIVER are only counted, for runs of great width."""
        self.is_over = False
        """A check has failed: what is torn down after that is no concern of checkers."""
        self.num_events = 0
        self.num_messages = 0
        self.marks: Counter[str] = Counter()
        self._hash = hashlib.blake2b(digest_size=8)
        self._subscribers: dict[Kind, list[Checker]] = {
            kind: [checker for checker in self.checkers if kind in checker.kinds] for kind in Kind
        }

    def tell(self, event: Event) -> None:
        """An event has happened; raises the `Violation` that a checker finds in it."""
        self.num_events += 1
        self._hash.update(repr(event).encode())
        self.events.append(event)
        if event.kind is Kind.MARK:
            self.marks[event.what] += 1
        if not self.is_over:
            for checker in self._subscribers[event.kind]:
                checker.see(event)

    @property
    def digest(self) -> str:
        """The hash of all events so far."""
        return self._hash.hexdigest()


@attrs.frozen
class Run:
    """What one simulated run has come to."""

    plan: Plan
    tier: int
    violation: Violation | None
    trace_hash: str
    events: list[Event]
    outcomes: dict[str, Outcome]
    """How each task ended at its parent: of several times the last that says most (`note_outcome`)."""
    now_s: float
    num_events: int
    num_messages: int
    marks: dict[str, int]
    script: dict[int, list[int]] = attrs.Factory(dict)
    """Tier 2: the batches of ready tasks that deviated from first come, first served."""
    missed: int = 0
    """Faults whose target was not there."""
