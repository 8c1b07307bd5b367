"""How a simulated run ends that cannot go on, or that reaches outside: errors that read well without a traceback."""

from triort._model.errors import TriortError, UsageError


class SimulationError(TriortError):
    """Base of the errors that the simulation itself raises about a run."""


class Deadlock(SimulationError):
    """All tasks are blocked, and no event and no deadline is left that could wake one: ``now_s``, ``blocked`` tasks."""

    def __init__(self, now_s: float, blocked: list[str]) -> None:
        super().__init__(now_s, blocked)
        self.now_s = now_s
        self.blocked = blocked

    def __str__(self) -> str:
        head = f"deadlock at {self.now_s:g} s: all tasks are blocked, and no event or deadline is left"
        return "\n".join([head, *self.blocked])


class Livelock(SimulationError):
    """The run goes on without end: too many steps at one instant, or too many events in all."""


class TimeLimit(SimulationError):
    """Virtual time has come to its limit, and the run is not over."""


class OutsideWorld(UsageError):
    """Code under test has reached for real time, randomness, threads, sockets or processes."""


class GivenUp(Exception):
    """Stops trio at once; tells nothing, for the run has failed already and its tasks do not end."""
