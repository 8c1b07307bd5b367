"""The one stream of events that a simulated run tells: checkers, trace hash, reports all read this and nothing else."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import NamedTuple

FRAMES_SPAN = 1_000_000
"""The frames of a link that is not the first of its name are counted from so many times ``number`` of its opening."""


class Kind(enum.StrEnum):
    """What has happened."""

    SEND = "send"
    """``node`` has sent message ``what`` to ``peer``; ``number`` counts the frames of this direction of the link."""
    DELIVER = "deliver"
    """``node`` has got frame ``number`` of ``peer``; ``what`` names its messages."""
    OPEN = "open"
    """``node`` and ``peer`` (its boss, or the server of a client) have a link; ``number`` counts those of this name."""
    CLOSE = "close"
    """``node`` knows that its link to ``peer`` has ended for good; ``detail`` says how."""
    BREAK = "break"
    """``node`` knows that the connection below its link to ``peer`` has ended; the link may go on over another one."""
    RESUME = "resume"
    """The link of ``node`` and ``peer`` goes on over another connection."""
    BORN = "born"
    """``node`` has started; ``peer`` is its boss."""
    DIED = "died"
    """``node`` is gone; ``detail`` says how."""
    START = "start"
    """Worker ``node`` has called the function of task ``what``; ``number`` is the attempt's address."""
    END = "end"
    """That function is over: ``detail`` is how (value, error, cancelled, killed, …)."""
    CANCELLED = "cancelled"
    """Worker ``node`` has read a cancel for the attempt ``number``."""
    SUBMIT = "submit"
    """Task ``peer`` on worker ``node`` (or a client, ``peer`` being the job) has submitted task ``what``."""
    SETTLE = "settle"
    """The outcome of task ``what`` has come to its parent on ``node``: ``detail`` is `Outcome` as text."""
    JOB = "job"
    """Job ``what`` has ended at client ``node``; ``detail`` is how."""
    FAULT = "fault"
    """A fault: ``what`` is its kind, ``node`` its target, ``detail`` its parameters, or ``missed``."""
    MARK = "mark"
    """A `sometimes` mark or a buggify point ``what`` was hit."""
    LOG = "log"
    """A node has logged a warning or worse."""


class Event(NamedTuple):
    """One event; what does not apply is empty."""

    time_s: float
    kind: Kind
    node: str
    what: str = ""
    peer: str = ""
    number: int = 0
    detail: str = ""


class Outcome(NamedTuple):
    """How a task ended at its parent: ``kind`` is as `OutcomeKind` has it, in lower case; without a value that is 0."""

    kind: str
    value: int = 0

    def __str__(self) -> str:
        return f"{self.kind} {self.value}" if self.kind == "value" else self.kind

    @property
    def weight(self) -> int:
        """How much it says about the end of the task: a parent that is lost may live on and be told, even after its
        next attempt, that a child was cancelled, or of an error that is not tried again. No value comes of that."""
        return {"value": 2, "cancelled": 0}.get(self.kind, 1)


def note_outcome(outcomes: dict[str, Outcome], task: str, outcome: Outcome) -> None:
    """A parent of the task was told of this outcome: note it, unless another parent was told one that says more."""
    known = outcomes.get(task)
    if known is None or known.weight <= outcome.weight:
        outcomes[task] = outcome


class Violation(Exception):
    """A check has failed: its name, when, and what was seen."""

    def __init__(self, check: str, text: str, time_s: float = 0.0) -> None:
        super().__init__(check, text, time_s)
        self.check = check
        self.text = text
        self.time_s = time_s

    def __str__(self) -> str:
        return f"{self.check}: {self.text}"


def names_of(frame: Sequence[tuple[object, object]]) -> str:
    """What is in a frame, for the trace: its messages by name, with how many of a kind come in a row."""
    if len(frame) == 1:
        return type(frame[0][0]).__name__
    names: list[str] = []
    last, count = "", 0
    for message, _ in frame:
        name = type(message).__name__
        if name == last:
            count += 1
            names[-1] = f"{name}*{count}"
        else:
            names.append(name)
            last, count = name, 1
    return "+".join(names)
