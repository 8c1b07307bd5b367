"""A task that was to blame for the end of a worker runs next on one that was started for it.

Nothing else does but those of its ancestors that had started on the same worker.

Such workers are known by their names. Who waits for one for too long may run among others; a run in which that has
happened says nothing more. A blame that is lost with a manager makes nobody a suspect.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from triort.testing._events import Event, Kind
from triort.testing._plan.names import is_extra, is_worker
from triort.testing._run import Checker, World

GIVEN_UP = "a suspect runs among others"


class SuspectsAlone(Checker):
    """Holds for all tasks."""

    name = "suspects_alone"
    kinds = frozenset({Kind.SUBMIT, Kind.START, Kind.DIED, Kind.CLOSE, Kind.MARK})

    def begin(self, world: World) -> None:
        """The run starts."""
        super().begin(world)
        self._names: dict[int, str] = {}
        self._blames: Counter[str] = Counter()
        self._served: dict[str, str] = {}
        """What each extra worker has started."""
        self._started: defaultdict[str, set[str]] = defaultdict(set)
        """By worker."""
        self._beside: set[str] = set()
        """Tasks on whose worker one below them has crashed."""
        self._is_off = False

    def see(self, event: Event) -> None:
        """Count who is to blame, and look where it starts next."""
        match event.kind:
            case Kind.SUBMIT:
                self._blames[event.what] = 0
            case Kind.MARK if event.what == GIVEN_UP:
                self._is_off = True
            case Kind.DIED if event.number:
                culprit = self._names.get(event.number, "")
                self._blames[culprit] += 1
                self._beside |= {name for name in self._started[event.node] if culprit.startswith(f"{name}.")}
            case Kind.DIED | Kind.CLOSE if not (is_worker(event.node) or is_worker(event.peer)):
                self._is_off = True
            case Kind.START if not self._is_off:
                self._names[event.number] = event.what
                self._started[event.node].add(event.what)
                self._check(event)

    def _check(self, event: Event) -> None:
        if is_extra(event.node):
            other = self._served.setdefault(event.node, event.what)
            if other != event.what or not (self._blames[event.what] or event.what in self._beside):
                self.fail(f"{event.what} starts on {event.node}, which is there for {other} alone")
        elif self._blames[event.what]:
            text = f"after {self._blames[event.what]} crashes that it was to blame for"
            self.fail(f"{event.what} starts on {event.node} among others, {text}")
