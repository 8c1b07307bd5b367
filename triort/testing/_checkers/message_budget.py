"""Messages stay in proportion to the work: so many for each task and hop, and some for each event that disturbs it."""

from __future__ import annotations

from triort.testing._events import Event, Kind
from triort.testing._run import Checker, World

PER_TASK_AND_HOP = 12
PER_NODE = 30
PER_TROUBLE = 40
"""For each node or link that has begun or ended, and hop."""


class MessageBudget(Checker):
    """Holds at any time, where messages are told."""

    name = "message_budget"
    kinds = frozenset({Kind.SEND, Kind.START, Kind.SUBMIT, Kind.BORN, Kind.DIED, Kind.CLOSE})

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        self._messages = 0
        self._budget = 0
        self._hops = 2 * len(world.plan.tree) + 1

    def see(self, event: Event) -> None:
        """Spend, or get more to spend."""
        match event.kind:
            case Kind.SEND:
                self._messages += num_messages(event.what)
                over = self._messages - self._budget
                if over > 0 and over > PER_NODE * (len(self.world.nodes) + len(self.world.workers) + 1):
                    self.fail(f"{self._messages} messages, and a budget of {self._budget}")
            case Kind.START | Kind.SUBMIT:
                self._budget += PER_TASK_AND_HOP * self._hops
            case _:
                self._budget += PER_TROUBLE * self._hops


def num_messages(names: str) -> int:
    """How many messages a frame holds: their names with ``+`` between, ``*`` and a number where several are alike.
    Prints and talk are the tasks' own affair, and hearts beat whatever else happens."""
    count = 0
    for name in names.split("+"):
        word, _, times = name.partition("*")
        if word not in ("Talk", "Print", "Beat"):
            count += int(times or 1)
    return count
