"""A task that was submitted once starts once, however often it is offered, recalled and handed back; again only where
it has raised and may be tried again, or where a node or link has ended since. What goes on behind a link that has ended
counts for nothing.
"""

from __future__ import annotations

from collections import Counter

from triort.testing._checkers.books import options_by_task
from triort.testing._checkers.task_tree import Fences
from triort.testing._events import Event, Kind
from triort.testing._run import Checker, World


class StartsOnce(Checker):
    """Holds whenever a task starts."""

    name = "starts_once"
    kinds = frozenset({Kind.SUBMIT, Kind.START, Kind.END, Kind.DIED}) | Fences.kinds

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        self._options = options_by_task(world.plan)
        self._fences = Fences()
        self._ends = 0
        """How many nodes and links have ended."""
        self._allowed: Counter[str] = Counter()
        self._ends_at: dict[str, int] = {}
        self._once: Counter[str] = Counter()
        """How often each task that may be lost but once has started, without its retries."""

    def see(self, event: Event) -> None:
        """Count what a task may do."""
        name = event.what
        match event.kind:
            case Kind.SUBMIT:
                self._allowed[name] = 1
                self._ends_at[name] = self._ends
                self._once[name] = 0
            case Kind.DIED | Kind.CLOSE:
                self._ends += 1
                self._fences.see(event)
            case Kind.OPEN:
                self._fences.see(event)
            case Kind.END:
                if event.detail == "error" and name in self._options and self._options[name].retries:
                    self._allowed[name] += 1
                    self._once[name] -= 1
            case Kind.START if name in self._ends_at and not self._fences.is_fenced(event.node):
                self._start(name, event.node)

    def _start(self, name: str, node: str) -> None:
        self._once[name] += 1
        if self._once[name] > 1 and self._options[name].at_most_once:
            self.fail(f"{name} starts again on {node}, though it is to run at most once")
        if self._ends_at[name] == self._ends:
            self._allowed[name] -= 1
            if self._allowed[name] < 0:
                self.fail(f"{name} starts again on {node}, though it has neither failed nor been lost")
