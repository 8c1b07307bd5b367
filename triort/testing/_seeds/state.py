"""Stops a run at a time, and tells from its events what was going on then: who was there, what ran, what was open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from triort.testing._events import Event, Kind
from triort.testing._report.hierarchy import natural
from triort.testing._run import Checker, Run

NAMES_MAX = 16


class Until(Checker):
    """Ends a run with the first event behind a time; put it behind all other checkers, whose findings come first."""

    name = "until"
    kinds = frozenset(Kind)

    def __init__(self, until_s: float) -> None:
        self.until_s = until_s
        self.has_stopped = False

    def see(self, event: Event) -> None:
        """Stop if it is time."""
        if event.time_s > self.until_s and not self.has_stopped:
            self.has_stopped = True
            self.fail(f"stopped at {self.until_s:g} s")

    def cut(self, run: Run) -> Run:
        """The run up to then; without what the end of it has caused."""
        events = [event for event in run.events if event.time_s <= self.until_s]
        return attrs.evolve(run, events=events, num_events=len(events), violation=None, now_s=self.until_s)


@attrs.define
class State:
    """What events tell about the cluster."""

    nodes: dict[str, None] = attrs.Factory(dict)
    """Those that live; clients are those that have a link."""
    running: dict[tuple[str, int], str] = attrs.Factory(dict)
    """The tasks whose function has been called, by worker and attempt."""
    open_tasks: dict[str, None] = attrs.Factory(dict)
    """Tasks submitted whose outcome has not come."""
    open_jobs: dict[str, None] = attrs.Factory(dict)

    @classmethod
    def after(cls, events: Iterable[Event]) -> State:
        """The state after these events, from the first one on."""
        state = cls()
        for event in events:
            state.take(event)
        return state

    def take(self, event: Event) -> None:
        """One more event."""
        match event.kind:
            case Kind.BORN | Kind.OPEN:
                self.nodes[event.node] = None
            case Kind.DIED:
                self.nodes.pop(event.node, None)
                self.running = {key: task for key, task in self.running.items() if key[0] != event.node}
            case Kind.START:
                self.running[event.node, event.number] = event.what
            case Kind.END:
                self.running.pop((event.node, event.number), None)
            case Kind.SUBMIT:
                self.open_tasks[event.what] = None
                if event.peer and "." not in event.peer:
                    self.open_jobs[event.peer] = None
            case Kind.SETTLE:
                self.open_tasks.pop(event.what, None)
            case Kind.JOB:
                self.open_jobs.pop(event.what, None)
            case Kind.CLOSE if event.node.startswith("c"):
                self.nodes.pop(event.node, None)


def show_state(events: Sequence[Event]) -> str:
    """What was going on after these events, in lines."""
    state = State.after(events)
    running = [f"{task} on {worker}" for (worker, _), task in state.running.items()]
    entries = {
        "nodes": _some(sorted(state.nodes, key=natural)),
        "running": _some(sorted(running, key=natural)),
        "open jobs": _some(sorted(state.open_jobs, key=natural)),
        "open tasks": _some(sorted(state.open_tasks, key=natural)),
    }
    return "\n".join(f"{name:10}  {text}" for name, text in entries.items())


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
    return ", ".join(names[:NAMES_MAX]) + more if names else "none"
