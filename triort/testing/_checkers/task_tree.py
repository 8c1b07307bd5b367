"""What the checkers about tasks share: which attempts run where, and which nodes are fenced off.

A node whose link to the boss, or whose boss's link, has ended is *fenced*: it cannot be reached any more. What it has
ends soon, but until then it does what it likes. Promises about tasks hold without regard to what still runs there.
"""

from __future__ import annotations

from triort.testing._events import Event, Kind
from triort.testing._plan.names import boss_of
from triort.testing._plan.plan import Plan
from triort.testing._plan.walk import parents_of

Place = tuple[str, int]
"""An attempt where it runs: the worker, and the attempt's address."""


class Fences:
    """Which nodes are fenced, by the links that have ended and the nodes that have died. Wants OPEN, CLOSE, DIED."""

    kinds = frozenset({Kind.OPEN, Kind.CLOSE, Kind.DIED})

    def __init__(self) -> None:
        self._cut_off: set[str] = set()
        self._bosses: dict[str, set[str]] = {}
        """Who has a link to which boss."""

    def see(self, event: Event) -> None:
        """A link has begun or ended, or a node."""
        is_lower = boss_of(event.node) == event.peer
        match event.kind:
            case Kind.CLOSE:
                self._cut_off.add(event.node if is_lower else event.peer)
            case Kind.OPEN:
                lower, boss = (event.node, event.peer) if is_lower else (event.peer, event.node)
                self._cut_off.discard(lower)
                self._bosses.setdefault(boss, set()).add(lower)
            case Kind.DIED:
                self._cut_off |= self._bosses.pop(event.node, set())

    def is_fenced(self, node: str) -> bool:
        """Whether it, or a node above it, has lost its boss."""
        while self._cut_off and node:
            if node in self._cut_off:
                return True
            node = boss_of(node)
        return False


class Family:
    """Who is whose parent."""

    def __init__(self, plan: Plan) -> None:
        self.parents = parents_of(plan)

    def line_of(self, task: str) -> list[str]:
        """The task, its parent and so on, up to the item; the task alone if the plan does not know it."""
        line = [task]
        while self.parents.get(line[-1]) in self.parents:
            line.append(self.parents[line[-1]])
        return line


class Runs:
    """The attempts whose functions run. Wants START, END and DIED."""

    kinds = frozenset({Kind.START, Kind.END, Kind.DIED})

    def __init__(self, plan: Plan) -> None:
        self._family = Family(plan)
        self.below: dict[str, dict[Place, str]] = {}
        """For each task: what runs of it and of all below it, each with the name of its own task."""
        self._on_node: dict[str, dict[int, str]] = {}

    def see(self, event: Event) -> None:
        """A function has begun or ended, or a worker."""
        if event.kind is Kind.START:
            self._on_node.setdefault(event.node, {})[event.number] = event.what
            for name in self._family.line_of(event.what):
                self.below.setdefault(name, {})[event.node, event.number] = event.what
        elif event.kind is Kind.END:
            self._end(event.node, event.number)
        elif event.kind is Kind.DIED:
            for number in list(self._on_node.get(event.node, ())):
                self._end(event.node, number)

    def _end(self, node: str, number: int) -> None:
        task = self._on_node.get(node, {}).pop(number, None)
        if task is not None:
            for name in self._family.line_of(task):
                del self.below[name][node, number]
