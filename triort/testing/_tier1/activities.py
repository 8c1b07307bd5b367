"""A task that has started on a worker of tier 1, and the states that it goes through until its function is over."""

from __future__ import annotations

import enum

import attrs

from triort._core.running import Running
from triort.testing._events import Violation
from triort.testing._plan.plan import Task
from triort.testing._plan.tries import TryEnd
from triort.testing._tier1.alarms import Alarm
from triort.testing._tier1.futures import Future
from triort.testing._tier1.scripts import Script


class State(enum.Enum):
    """What a started task does."""

    READY = "ready"
    """It goes on as soon as the worker's loop comes to it."""
    HOLDS = "holds"
    """It computes: on the CPU, or (async) holding its slot."""
    LISTENS = "listens"
    """It wants messages: on the CPU, looking now and then, or (async) holding its slot."""
    WAITS = "waits"
    """It waits for children; its slot is free."""


@attrs.define(eq=False)
class Activity:
    """One try of a task."""

    running: Running
    task: Task
    end: TryEnd
    script: Script = attrs.field(init=False, repr=False)
    state: State = State.READY
    turn: int = 0
    """Counts what it has waited for, so that a look for an earlier message is known as such."""
    timer: int = 0
    """On the heap: when it has held what it holds for long enough."""
    future: Future | None = None
    """What it waits for, or has waited for until now."""
    wants: int = 0
    """How many messages it wants in all."""
    heard: int = 0
    speaker: bytes = b""
    seconds: float = 0.0
    """How long it has held its slot."""
    stop: bool = False
    """`Stopped` is to be thrown into it when it goes on."""
    timed_out: bool = False
    listen_s: float = 0.0
    alarm: Alarm | None = None
    """Its deadline, if it is an async task that has one."""

    def take_messages(self, now: float) -> None:
        """Hear what has come: what one attempt of the parent has said, in order, from the beginning."""
        running = self.running
        for message in running.messages:
            speaker, _, number = message.partition(b":")
            if int(number) != self.heard or (self.heard and speaker != self.speaker):
                text = f"{self.task.name} hears message {int(number)} of its parent after {self.heard} others"
                raise Violation("talk_in_order", text, now)
            self.speaker = speaker
            self.heard += 1
        running.messages = []

    @property
    def has_heard(self) -> bool:
        """Whether it has got what it wants."""
        return self.heard >= self.wants
